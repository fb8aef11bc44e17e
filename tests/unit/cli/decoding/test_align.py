"""scripts/align.py: aligned words, and what cannot be aligned."""

import json
from dataclasses import replace

import pytest
import torch

from asrkit.cli.decoding.align import main
from asrkit.data.audio.files import read_audio
from asrkit.data.corpora.manifests import write_manifests
from asrkit.data.corpora.scan import Utterance, scan
from asrkit.decoding.transcripts.alignment import align_by_ctc
from asrkit.models.timing_head import divide_by_prior
from asrkit.pipeline.decode.aligner import MAX_CELLS, Aligner, By, audio_batch
from asrkit.pipeline.decode.recognizer import load_recognizer
from asrkit.pipeline.experiment import AVERAGE
from asrkit.pipeline.stages.align import Alignments
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError


@pytest.fixture(scope="module")
def recognizer(exp_dir):
    return load_recognizer(exp_dir / AVERAGE, torch.device("cpu"))


@pytest.fixture
def align(exp_dir, capsys):
    """Return a function that runs the command: its status, output and log lines."""

    def run(*arguments):
        status = main(["--exp-dir", str(exp_dir), *map(str, arguments)])
        done = capsys.readouterr()
        return status, done.out, done.err.splitlines()

    return run


def ctm_words(out):
    """Return (file, start, end, word) of each line."""
    rows = [line.split() for line in out.splitlines()]
    return [(f, float(s), float(s) + float(d), word) for f, _, s, d, word, _ in rows]


@pytest.mark.parametrize("by", ["timing", "transducer", "ctc"])
def test_words_of_a_file_are_in_it_and_in_order(align, make_wave, by):
    wave = make_wave("x.wav", 2.0, rate=22050)
    status, out, log = align("--audio", wave, "--text", "AB  C\nBA", "--by", by)
    assert status == 0
    assert log == [f"1 aligned by {by}, 0 not"]
    words = ctm_words(out)
    assert [(file, word) for file, *_, word in words] == [
        ("x", "AB"), ("x", "C"), ("x", "BA"),
    ]  # fmt: skip
    times = [time for _, start, end, _ in words for time in (start, end)]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= 2.0


def test_what_cannot_be_aligned_is_named_and_the_rest_is(align, make_wave, tmp_path):
    texts = {
        "good": "AB", "empty": " \n", "lacking": "AXB Y", "short": "ABBA ABBA",
        "twice": "C", "zero": None, "latin": None, "untold": None, "broken": "A",
        "tiny": "A",
    }  # fmt: skip
    waves = {name: make_wave(f"{name}.wav", 1.0) for name in texts}
    for name, text in texts.items():
        if text is not None:
            waves[name].with_suffix(".txt").write_text(text)
    make_wave("short.wav", 0.2)
    make_wave("tiny.wav", 0.004)
    make_wave("zero.wav", 0.0)
    waves["broken"].write_bytes(b"no audio")
    waves["latin"].with_suffix(".txt").write_bytes("Ä".encode("latin-1"))
    again = make_wave("sub/twice.wav", 1.0)
    again.with_suffix(".txt").write_text("B")
    status, out, log = align("--audio", *waves.values(), again)
    assert status == 1
    assert [row[0] + " " + row[3] for row in ctm_words(out)] == ["good AB", "twice C"]
    reasons = {
        "broken": "cannot be read as audio",
        "empty": "its text is empty",
        "lacking": "the tokenizer lacks 'X', 'Y'",
        "latin": "latin.txt cannot be read",
        "short": "0.20 s of audio are too short for its text: 9 labels, 5 frames",
        "sub/twice": "another recording has the name twice",
        "tiny": "0.00 s of audio are too short for its text: 1 labels, 0 frames",
        "untold": "untold.txt cannot be read",
        "zero": "holds no audio",
    }
    lines = sorted(line for line in log if line.startswith("not aligned"))
    assert len(lines) == len(reasons)
    for line, (name, reason) in zip(lines, reasons.items(), strict=True):
        assert line.startswith(f"not aligned: {tmp_path / name}.wav: ")
        assert reason in line
    assert log[-1] == f"2 aligned by timing, {len(reasons)} not"


def test_texts_in_another_folder_and_in_another_style(align, make_wave, tmp_path):
    wave = make_wave("x.wav", 1.0)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "x.txt").write_text("ab, c!", encoding="utf-8-sig")
    files = ["--audio", wave, "--text-dir", tmp_path / "texts", "--format", "text"]
    status, _, log = align(*files)
    assert status == 1
    assert "the tokenizer lacks '!', ',', 'a', 'b', 'c' of its text" in log[0]
    assert align(*files, "--normalize", "librispeech")[:2] == (0, f"{wave}\tAB C\n")


def test_sets_are_aligned_as_their_files_are(align, make_wave, tmp_path):
    waves = [make_wave(f"u{n}.wav", 1 + n / 4) for n in range(4)]
    utterances = [
        Utterance(id=wave.stem, path=wave, text=f"A{'B' * n}")
        for n, wave in enumerate(waves)
    ]
    cuts, _ = scan(utterances, name="test", jobs=1)
    write_manifests({"test": cuts}, {}, tmp_path / "manifests")
    waves[2].unlink()
    files = ["--manifests", tmp_path / "manifests", "--format", "json"]
    status, out, log = align("--sets", "test", *files, "--out", tmp_path / "a.json")
    assert (status, out) == (1, "")
    assert log[0].startswith("not aligned: u2: audio of u2 cannot be read")
    together = json.loads((tmp_path / "a.json").read_text())
    assert [one["id"] for one in together] == ["u0", "u1", "u3"]
    for one, n in zip(together, (0, 1, 3), strict=True):
        _, out, _ = align(
            "--audio", waves[n], "--text", f"A{'B' * n}", "--format", "json"
        )
        (alone,) = json.loads(out)
        assert alone["audio"] == str(waves[n])
        assert alone["duration"] == pytest.approx(1 + n / 4)
        for word, same in zip(one["words"], alone["words"], strict=True):
            confidences = word.pop("confidence"), same.pop("confidence")
            assert word == same
            assert confidences[0] == pytest.approx(confidences[1], abs=1e-4)


def test_long_audio_is_encoded_in_pieces_between_frames(recognizer, make_wave):
    audio = read_audio(make_wave("long.wav", 7.3), 16000)
    aligner = Aligner(recognizer, By.TIMING, max_seconds=2.0)
    pieces = aligner._cut(audio)
    assert len(pieces) >= 4
    assert torch.equal(torch.cat(pieces), audio)
    assert all(len(piece) % 640 == 0 for piece in pieces[:-1])
    alone = [aligner.hear(audio_batch([piece], 16000)) for piece in pieces]
    heard = aligner._hear([audio[:16000], audio])
    assert heard.enc_lens.tolist() == [25, aligner.frames(audio)]
    for name in ("enc_out", "timing"):
        frames = torch.cat([getattr(one, name)[0] for one in alone])
        assert len(frames) == aligner.frames(audio)
        found = getattr(heard, name)[1]
        torch.testing.assert_close(found, frames, rtol=1e-4, atol=1e-4)


def test_the_timing_head_tells_the_time_and_ctc_how_sure_it_is(recognizer, make_wave):
    audio = read_audio(make_wave("x.wav", 2.0), 16000)
    labels = recognizer.tokenizer.encode("AB C")
    aligner = Aligner(recognizer, By.TIMING)
    (found,) = aligner.align([audio], [labels])
    (sure,) = Aligner(recognizer, By.CTC).align([audio], [labels])
    heard = aligner.hear(audio_batch([audio], 16000))
    scores = divide_by_prior(heard.timing, heard.enc_lens)
    lens = torch.tensor([len(labels)])
    (when,) = align_by_ctc(scores, heard.enc_lens, torch.tensor([labels]), lens)
    assert found == replace(sure, frames=when.frames, ends=when.ends)


@pytest.mark.parametrize("by", list(By))
def test_the_stage_aligns_as_the_command_does(recognizer, make_wave, by):
    audio = read_audio(make_wave("x.wav", 2.0), 16000)
    labels = recognizer.tokenizer.encode("AB C")
    batch = replace(
        audio_batch([audio], 16000),
        tokens=torch.tensor([labels]),
        token_lens=torch.tensor([len(labels)]),
    )
    monotonic = Aligner(recognizer, by, topology=Topology.MONOTONIC)
    (row,) = Alignments(monotonic)(batch)
    (one,) = monotonic.align([audio], [labels])
    assert (row["frames"], row["tokens"], row["num_frames"]) == (one.frames, labels, 50)
    assert row["score"] == pytest.approx(one.score, abs=1e-3)
    assert len(set(one.frames)) == len(labels)
    assert Aligner(recognizer, by).topology is Topology.REGULAR


def test_what_needs_too_much_memory_is_named(align, make_wave, monkeypatch):
    monkeypatch.setitem(MAX_CELLS, By.TRANSDUCER, 49)
    files = ["--audio", make_wave("x.wav", 1.0), "--by", "transducer"]
    assert align(*files, "--text", "A")[0] == 0
    _, _, log = align(*files, "--text", "AB")
    assert "25 frames and 2 labels need too much memory" in log[0]
    assert "take --by ctc" in log[0]


def test_a_run_that_does_not_train_what_should_align(recognizer, monkeypatch):
    weights = recognizer.config.loss.weights
    assert Aligner(recognizer, None, 30.0).by is By.TIMING
    monkeypatch.setitem(weights, "timing", 0.0)
    assert Aligner(recognizer, None, 30.0).by is By.CTC
    monkeypatch.setitem(weights, "ctc", 0.0)
    assert Aligner(recognizer, None, 30.0).by is By.TRANSDUCER
    with pytest.raises(InputError, match="by ctc: this run trains transducer only"):
        Aligner(recognizer, By.CTC, 30.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--audio", "a", "b", "--text", "A"], "--text goes with one --audio"),
        (["--sets", "a", "--text", "A"], "--text goes with one --audio"),
        (["--sets", "a", "--text-dir", "b"], "--text-dir goes with --audio"),
        (["--sets", "a", "--audio", "b"], "not allowed with argument"),
        ([], "one of the arguments --sets --audio is required"),
    ],
)
def test_options_that_do_not_go_together(align, arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        align(*arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
