"""The lexicon of tokenizer=phone, on manifests of a word."""

import pytest
from lhotse import CutSet, MonoCut, SupervisionSegment

from asrkit.data.corpora.manifests import write_manifests
from tests.recipes.recipes import load

prepare = load("librispeech")


@pytest.fixture
def run(tmp_path, capsys):
    """Make the lexicon of a corpus; return what was printed, and the lexicon."""
    words = {"train-clean-5": "HELLO", "dev-clean-2": "NEVER"}
    cuts = {
        part: CutSet.from_cuts(
            [
                MonoCut(
                    part,
                    start=0.0,
                    duration=1.0,
                    channel=0,
                    supervisions=[SupervisionSegment(part, "r", 0.0, 1.0, text=word)],
                )
            ]
        )
        for part, word in words.items()
    }

    def run(corpus):
        folder = tmp_path / corpus.split("/")[-1]
        write_manifests(cuts, {}, folder / "manifests")
        argv = ["--corpus", corpus, "--data-dir", str(tmp_path), "--lexicon"]
        assert prepare.main(argv) == 0
        return capsys.readouterr().out, folder / "lexicon.txt"

    return run


def test_of_a_folder(run):
    pytest.importorskip("espeakng_loader")
    printed, made = run("somewhere/mine")
    assert "1 words: 1 from espeak-ng (en-US)" in printed
    assert made.read_text() == "HELLO h ə l oʊ\n"
    # One that was changed by hand stays.
    made.write_text("HELLO h oʊ\n")
    assert run("somewhere/mine") == (f"lexicon: already done, {made}\n", made)
    assert made.read_text() == "HELLO h oʊ\n"


def test_of_librispeech(run, monkeypatch):
    def fake_download(url, target, *, md5):
        assert url.endswith("/11/librispeech-lexicon.txt")
        target.write_text("HELLO\tHH AH0 L OW1\nAS  AE1 Z\n")

    monkeypatch.setattr(prepare, "download", fake_download)
    printed, made = run("mini")
    assert "1 words: 1 from " in printed
    assert made.read_text() == "HELLO HH AH L OW\nAS AE Z\n"
