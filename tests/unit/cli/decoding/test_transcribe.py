"""scripts/transcribe.py: formats, times, files that cannot be read."""

import json

import numpy as np
import pytest
import soundfile

from asrkit.cli.decoding.transcribe import main
from asrkit.decoding.search import Hypothesis
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.utils.errors import InputError


@pytest.fixture
def run(exp_dir, capsys):
    """Return a function that runs the command: its status and output."""

    def run(*arguments):
        status = main([*map(str, arguments), "--exp-dir", str(exp_dir)])
        return status, capsys.readouterr().out

    return run


def read(out):
    """Return the transcripts of a JSON output."""
    return json.loads(out)


@pytest.mark.parametrize("change", ["decode.max_symbols=2", "decode=ctc_greedy"])
def test_text_and_words_say_the_same(run, make_wave, change):
    waves = [make_wave("a.wav", 2.0), make_wave("b.wav", 1.0)]
    decode = ["--decode", change]
    status, out = run(*waves, *decode)
    assert status == 0
    status, json_out = run(*waves, "--format", "json", *decode)
    assert status == 0
    found = read(json_out)
    assert out == "".join(f"{one['audio']}\t{one['text']}\n" for one in found)
    assert sum(len(one["words"]) for one in found) > 3
    for one in found:
        assert " ".join(word["word"] for word in one["words"]) == one["text"]
        times = [word[key] for word in one["words"] for key in ("start", "end")]
        assert times == sorted(times)
        assert 0 <= times[0] < times[-1] <= one["duration"]
        assert "pieces" not in one


@pytest.mark.parametrize("align", [[], ["--align"]])
@pytest.mark.parametrize("search", [[], ["--decode", "decode=ctc_greedy"]])
def test_long_audio_in_pieces(run, make_wave, search, align):
    wave = make_wave("long.wav", 5.0)
    arguments = [wave, "--format", "json", "--max-seconds", 2, *align, *search]
    (one,) = read(run(*arguments)[1])
    assert " ".join(word["word"] for word in one["words"]) == one["text"]
    times = [word[key] for word in one["words"] for key in ("start", "end")]
    assert times == sorted(times)
    assert 0 <= times[0] < 2
    assert 3 < times[-1] <= 5


def test_times_are_aligned_only_when_asked_for(run, make_wave, monkeypatch):
    """A search that says nothing about times shows whose times are written."""
    labels = [3, 4, 6, 5]  # "AB C"

    def find(self, batch):
        return [[Hypothesis(labels, [0] * 4, [0.5] * 4, 0.0)]] * len(batch.ids)

    monkeypatch.setattr(Recognizer, "find", find)
    wave = make_wave("a.wav", 1.0)
    (emitted,) = read(run(wave, "--format", "json")[1])
    assert [word["start"] for word in emitted["words"]] == [0.0, 0.02]
    (aligned,) = read(run(wave, "--format", "json", "--align")[1])
    assert aligned["text"] == emitted["text"] == "AB C"
    assert aligned["words"][1]["start"] > 0.02
    assert aligned["words"][1]["confidence"] != 0.5


def test_nbest_lists_are_written(run, make_wave, monkeypatch):
    def find(self, batch):
        lists = [
            Hypothesis([3], [1], [0.5], -1.0),
            Hypothesis([4, 5], [1, 2], [0.5] * 2, -2.5),
        ]
        return [lists] * len(batch.ids)

    monkeypatch.setattr(Recognizer, "find", find)
    wave = make_wave("a.wav", 5.0)
    (one,) = read(run(wave, "--format", "json", "--max-seconds", 4)[1])
    first, second = one["pieces"]
    assert first["start"] == 0.0
    assert first["end"] == second["start"]
    assert second["end"] == 5.0
    assert first["nbest"] == second["nbest"]
    assert first["nbest"] == [
        {"text": "A", "score": -1.0},
        {"text": "BC", "score": -2.5},
    ]


@pytest.mark.parametrize("align", [[], ["--align"]])
def test_words_that_the_search_chose_are_written(run, make_wave, monkeypatch, align):
    one = Hypothesis([3, 4, 6, 5], [0, 3, 5, 6], [0.5] * 4, 0.0, words=["TWO", "SEE"])

    def find(self, batch):
        return [[one, one]] * len(batch.ids)

    monkeypatch.setattr(Recognizer, "find", find)
    (found,) = read(run(make_wave("a.wav", 1.0), "--format", "json", *align)[1])
    assert found["text"] == "TWO SEE"
    assert [word["word"] for word in found["words"]] == ["TWO", "SEE"]
    assert [alternative["text"] for alternative in found["pieces"][0]["nbest"]] == [
        "TWO SEE"
    ] * 2


def test_a_hypothesis_without_a_path_keeps_its_times(run, make_wave, monkeypatch):
    many = [Hypothesis([3] * 26, [2] * 26, [0.5] * 26, 0.0)]
    none = [Hypothesis([], [], [], 0.0)]

    def find(self, batch):
        return [many if i == 0 else none for i in range(len(batch.ids))]

    monkeypatch.setattr(Recognizer, "find", find)
    arguments = ["--format", "json", "--align", "--max-seconds", 1.0]
    (one,) = read(run(make_wave("a.wav", 1.8), *arguments)[1])
    assert [word["start"] for word in one["words"]] == [0.08]


def test_there_is_nothing_to_align_in_silence(run, make_wave, monkeypatch):
    nothing = [Hypothesis([], [], [], 0.0)]
    monkeypatch.setattr(Recognizer, "find", lambda *_: [nothing])
    for change in ("decode=greedy", "decode=ctc_greedy"):
        wave = make_wave("a.wav", 1.0)
        assert run(wave, "--align", "--decode", change) == (0, f"{wave}\t\n")


def test_audio_shorter_than_a_frame_says_nothing(run, make_wave):
    wave = make_wave("a.wav", 0.004)
    assert run(wave) == (0, f"{wave}\t\n")


def test_what_cannot_be_read_is_named_and_the_rest_is_transcribed(
    run, make_wave, tmp_path, caplog
):
    (tmp_path / "b.wav").write_text("no audio")
    (tmp_path / "c.raw").write_bytes(bytes(3200))
    waves = [tmp_path / "b.wav", tmp_path / "c.raw", make_wave("a.wav", 1.0)]
    status, out = run(*waves)
    assert status == 2
    assert [line.split("\t")[0] for line in out.splitlines()] == [str(waves[2])]


def test_a_channel(run, make_wave, tmp_path):
    alone = make_wave("alone.wav", 2.0)
    samples, rate = soundfile.read(alone)
    both = np.stack([np.zeros_like(samples), samples], axis=1)
    soundfile.write(tmp_path / "both.wav", both, rate)
    text = run(alone)[1].split("\t")[1]
    assert text.strip()
    assert run(tmp_path / "both.wav", "--channel", "1")[1].split("\t")[1] == text
    assert run(tmp_path / "both.wav", "--channel", "2")[0] == 2


def test_files_of_one_name(run, make_wave):
    waves = [make_wave("a/x.wav", 1.0), make_wave("b/x.wav", 1.0)]
    assert run(*waves)[0] == 0
    with pytest.raises(InputError, match=r"a/x\.wav and .*b/x\.wav have the same name"):
        run(*waves, "--format", "ctm")


def test_all_formats_are_offered(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "json, ctm, srt, textgrid with times" in " ".join(
        capsys.readouterr().out.split()
    )
