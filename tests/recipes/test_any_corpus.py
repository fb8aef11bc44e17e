"""run.sh --corpus with corpora in the formats of others: from the lists to a WER."""

import json

import numpy as np
import pytest
import soundfile

from tests.integration.conftest import SETTINGS, speak
from tests.recipes.recipes import copy_checkout

RATE = 16000
PARTS = {"train": 8, "dev": 3, "test": 3}


def texts(part):
    """Return what is said in a part; each letter is half a second of its tone."""
    return ["A B C", "C A", "B B A", "A C"][: PARTS[part]] * 2


@pytest.fixture
def said(tmp_path):
    """Return a function that speaks the utterances of a part into files."""

    def speak_part(folder, part, suffix):
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(len(part))
        rows = []
        for index, text in enumerate(texts(part)[: PARTS[part]]):
            path = folder / f"{part}{index}.{suffix}"
            soundfile.write(path, speak(text, rng), RATE)
            rows.append((path, text))
        return rows

    return speak_part


def make_kaldi(corpus, said):
    """Two utterances a recording, one of train's recordings printed by a command."""
    for part in PARTS:
        scp, segments, words, speakers = [], [], [], []
        for path, text in said(corpus / "wav", part, "wav"):
            recording, seconds = path.stem, soundfile.info(path).duration
            command = f"cat {path} |" if recording == "train0" else str(path)
            scp.append(f"{recording} {command}\n")
            segments.append(f"{recording}-1 {recording} 0 {seconds - 0.5}\n")
            segments.append(f"{recording}-2 {recording} {seconds - 0.5} -1\n")
            *most, last = text.split()
            words += [f"{recording}-1 {' '.join(most)}\n", f"{recording}-2 {last}\n"]
            speakers += [f"{recording}-{i} ann\n" for i in (1, 2)]
        folder = corpus / part
        folder.mkdir()
        for name, lines in (
            ("wav.scp", scp), ("segments", segments), ("text", words),
            ("utt2spk", speakers),
        ):  # fmt: skip
            (folder / name).write_text("".join(lines))


def make_nemo(corpus, said):
    for part in PARTS:
        rows = [
            {
                "audio_filepath": str(path.relative_to(corpus)),
                "duration": soundfile.info(path).duration,
                "text": text,
            }
            for path, text in said(corpus / "audio", part, "flac")
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (corpus / f"{part}_manifest.json").write_text(lines)


def make_common_voice(corpus, said):
    for part in PARTS:
        rows = [
            f"speaker\t{path.name}\t{text}\t2\t0\n"
            for path, text in said(corpus / "clips", part, "mp3")
        ]
        header = "client_id\tpath\tsentence\tup_votes\tdown_votes\n"
        (corpus / f"{part}.tsv").write_text(header + "".join(rows))
    (corpus / "validated.tsv").write_text(header)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "utterances", "options"),
    [
        (make_kaldi, 6, ["--run-commands"]),
        (make_nemo, 3, []),
        (make_common_voice, 3, []),
    ],
)
def test_from_lists_to_a_word_error_rate(tmp_path, said, make, utterances, options):
    corpus, exp_dir = tmp_path / f"corpus_{make.__name__}", tmp_path / "exp"
    corpus.mkdir()
    make(corpus, said)
    checkout = tmp_path / "checkout"
    names = ("asrkit", "conf", "recipes", "scripts", "pyproject.toml")
    call = copy_checkout(checkout, *names)
    settings = [*SETTINGS, "num_updates=4", f"exp_dir={exp_dir}"]

    def run(*arguments):
        recipe = checkout / "recipes" / "librispeech"
        return call(recipe, "--corpus", str(corpus), *arguments, *settings)

    if options:
        refused = run()
        assert refused.returncode == 2
        assert "wav.scp: train0 is a command" in refused.stderr
    done = run(*options)
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads((exp_dir / "decode" / "results.json").read_text())
    assert (entry["set"], entry["utterances"]) == ("test", utterances)
    assert "stage 1: already done" in run(*options).stdout
