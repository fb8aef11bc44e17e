"""scripts/transcribe.py --stream: files and standard input as if live."""

import io
import json
import math
import re
import shutil
import struct
import types
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile
import torch

from asrkit.cli.decoding.stream_options import read_end_points
from asrkit.cli.decoding.transcribe import main, parser
from asrkit.cli.overrides import apply_overrides
from asrkit.data.audio.files import read_audio
from asrkit.decoding.end_points import EndPoints
from asrkit.pipeline.decode.aligner import audio_batch
from asrkit.pipeline.decode.live import Live
from asrkit.pipeline.decode.recognizer import load_recognizer
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.utils.errors import InputError


@pytest.fixture
def run(chunk_dir, capsys):
    """Return a function that streams: its status and output; the log is in err."""

    def run(*arguments, exp=chunk_dir):
        status = main([*map(str, arguments), "--stream", "--exp-dir", str(exp)])
        printed = capsys.readouterr()
        run.err = printed.err
        return status, printed.out

    return run


@pytest.fixture
def feed(monkeypatch):
    """Return a function that puts bytes into standard input."""

    def feed(data):
        fake = types.SimpleNamespace(buffer=io.BytesIO(data))
        monkeypatch.setattr("sys.stdin", fake)

    return feed


def samples_of(wave):
    return (soundfile.read(wave, dtype="int16")[0]).astype("<i2").tobytes()


def riff(data, size=None, *, rate=16000, channels=1, bits=16):
    """Return WAV with a chunk before its samples, of this length as it says."""
    size = len(data) if size is None else size
    width = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * width, width, bits)
    parts = [b"RIFF", struct.pack("<I", 0), b"WAVE", b"fmt ", struct.pack("<I", 16)]
    parts += [form, b"LIST", struct.pack("<I", 3), b"abc\0"]
    return b"".join([*parts, b"data", struct.pack("<I", size), data])


def test_utterances_are_written_with_their_times(run, make_wave):
    wave = make_wave("a.wav", 5.0)
    status, out = run(wave)
    assert status == 0
    lines = [line.split("\t") for line in out.splitlines()]
    assert all(line[0] == str(wave) for line in lines)
    (found,) = json.loads(run(wave, "--format", "json")[1])
    assert found["duration"] == 5.0
    assert found["text"] == " ".join(line[3] for line in lines)
    assert " ".join(word["word"] for word in found["words"]) == found["text"]
    assert len(found["words"]) > 3
    times = [word[key] for word in found["words"] for key in ("start", "end")]
    assert times == sorted(times)
    assert float(lines[0][1]) <= times[0] < times[-1] <= float(lines[-1][2]) <= 5.0


CHANGES = {"greedy": [], "beam": ["decode=modified_beam_search"]}


@pytest.fixture(scope="module", params=CHANGES.values(), ids=CHANGES)
def recognizer(chunk_dir, request):
    return load_recognizer(
        find_checkpoint(chunk_dir),
        torch.device("cpu"),
        change=lambda config: apply_overrides(config, request.param),
    )


NEVER = EndPoints(without_speech=math.inf, after_speech=math.inf, longest=math.inf)
RULES = EndPoints(without_speech=0.6, after_speech=0.12, longest=1.5)


def listen(recognizer, audio, sizes, rules):
    """Push audio in packets of these sizes, then what is left."""
    live = Live(recognizer, size=8, left=2, end_points=rules)
    found, at = [], 0
    for size in sizes:
        begun, before = live.begun, live.settled()
        over = live.push(audio[at : at + size])
        at += size
        if live.begun == begun:
            assert live.settled().startswith(before)  # it only grows
            assert live.present().text.startswith(live.settled())
        elif over:
            assert over[0].text.startswith(before)
        found += over
    return found + live.push(audio[at:], ended=True)


def test_packets_of_any_size_find_the_same(recognizer, make_wave):
    audio = read_audio(make_wave("a.wav", 6.0), 16000)
    expected = listen(recognizer, audio, [], RULES)
    assert len(expected) > 3
    for size in (160, 1000, 17000):
        found = listen(recognizer, audio, [size] * (len(audio) // size), RULES)
        assert [one.text for one in found] == [one.text for one in expected]
        for one, other in zip(found, expected, strict=True):
            assert (one.start, one.end) == (other.start, other.end)
            starts = [word.start for word in other.words]
            assert [word.start for word in one.words] == pytest.approx(starts)


def test_end_points_lose_no_frame(recognizer, make_wave):
    audio = read_audio(make_wave("a.wav", 6.0), 16000)
    live = Live(recognizer, size=8, left=2, end_points=RULES)
    advance, seen = live.search.advance, []

    def listened(enc_out, enc_lens):
        seen.append(enc_out[0])
        advance(enc_out, enc_lens)

    live.search.advance = listened
    found = [one for packet in audio.split(640) for one in live.push(packet)]
    found += live.push(audio[:0], ended=True)
    assert live.frames == sum(map(len, seen)) == 150
    assert len(found) > 3
    for one, following in pairwise(found):
        assert one.end <= following.start
    # Each utterance is what a search finds that begins and ends with it.
    enc_out = torch.cat(seen)
    for one in found:
        first, last = (round(at / 0.04) for at in (one.start, one.end))
        part = enc_out[None, first:last]
        lens = torch.tensor([last - first])
        (nbest,) = recognizer.search(recognizer.model, part, lens)
        assert one.text == nbest[0].text(recognizer.tokenizer)


def test_standard_input_is_what_a_file_is(run, make_wave, feed):
    wave = make_wave("a.wav", 2.0)
    expected = run(wave)[1].replace(str(wave), "-")
    assert expected.strip()
    data = samples_of(wave)
    for given in (
        data,
        riff(data),
        riff(data + b"LISTmore", len(data)),
        riff(data, 0),
        riff(data, 0xFFFFFFFF),
    ):
        feed(given)
        assert run("-") == (0, expected)
    feed(data)
    (found,) = json.loads(run("-", "--format", "json")[1])
    assert (found["id"], found["duration"]) == ("stdin", 2.0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "holds no audio\n0.0 s of audio, 1 failed"),
        (riff(b""), "holds no audio"),
        (bytes(3201), "ends inside a sample"),
        (riff(bytes(3200), rate=8000), "1 channels, 8000 Hz, 16 bits.*16000 Hz"),
        (riff(bytes(3200), rate=44100), "44100 Hz.*16000 Hz.*ffmpeg"),
        (riff(bytes(3200), channels=2), "2 channels.*has to be.*one channel"),
        (riff(bytes(3200), bits=8), "8 bits"),
        (riff(b"")[:-8], "without samples"),
        (b"RIFF", "without samples"),
        (riff(b"")[:25], "without samples"),
        (riff(bytes(3200)).replace(b"fmt ", b"none"), "without a format"),
        (b"RIFF\0\0\0\0WAVEfmt \4\0\0\0\1\0\1\0data\2\0\0\0\0\0", "a format"),
    ],
)
def test_standard_input_of_another_kind(run, feed, data, message):
    feed(data)
    assert run("-")[0] == 2
    assert re.search(message, run.err)


def test_what_was_said_before_a_stream_broke_off_is_written(run, make_wave, feed):
    wave = make_wave("a.wav", 2.0)
    whole = run(wave)[1].split("\t")[3].split()
    feed(samples_of(wave) + b"\0")
    status, out = run("-")
    assert status == 2
    said = out.split("\t")[3].split()
    # The last chunk is not full, and is not heard.
    assert said
    assert said[:-1] == whole[: len(said) - 1]
    feed(samples_of(wave) + b"\0")
    status, out = run("-", "--format", "json")
    assert status == 2
    (found,) = json.loads(out)
    assert found["text"].split() == said


def test_a_file_that_cannot_be_read_is_named(run, make_wave, tmp_path):
    (tmp_path / "b.wav").write_text("no audio")
    status, out = run(tmp_path / "b.wav", make_wave("a.wav", 1.0))
    assert status == 2
    assert "b.wav" in run.err
    assert {line.split("\t")[0] for line in out.splitlines()} == {
        str(tmp_path / "a.wav")
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--chunk", 0.65], r"no multiple of a frame, 0.04 s.*0.32, 0.64"),
        (["--chunk", 0.96], r"0.96 was not met in training; there were 0.32, 0.64"),
        (["--chunk", 0], r"decode\.chunk must be above 0"),
        (["--left", 3], r"decode\.left=3 was not met.*2, 4"),
        (["--left", -1], r"decode\.left must be at least 0"),
        (["--align"], "--align needs whole recordings"),
        (["--decode", "decode=beam_search"], "decode=beam_search, as .* needs whole"),
    ],
)
def test_options_that_do_not_fit(run, make_wave, options, message):
    with pytest.raises(InputError, match=message):
        run(make_wave("a.wav", 1.0), *options)


def test_standard_input_once_and_without_channels(run):
    with pytest.raises(InputError, match="once only"):
        run("-", "-")
    with pytest.raises(InputError, match="standard input has one channel"):
        run("-", "--channel", 0)


@pytest.mark.parametrize(
    "option",
    [
        ["-"],
        ["--chunk", "0.64"],
        ["--left", "0"],
        ["--microphone"],
        ["--trailing-silence", "1"],
        ["--silence-without-word", "1"],
        ["--longest-utterance", "9"],
    ],
)
def test_options_of_streams_need_stream(option):
    with pytest.raises(InputError, match=f"{option[0]}.*give --stream"):
        main(["a.wav", *option, "--exp-dir", "exp/x"])


def test_nothing_to_transcribe(run):
    with pytest.raises(InputError, match="nothing to transcribe: give files"):
        main(["--exp-dir", "exp/x"])
    with pytest.raises(InputError, match="nothing to transcribe: give files"):
        run()


OPTIONS = {
    "after_speech": "--trailing-silence",
    "without_speech": "--silence-without-word",
    "longest": "--longest-utterance",
}


@pytest.mark.parametrize("field", OPTIONS)
def test_each_end_point_has_its_option(field):
    args = parser().parse_args(["a.wav", "--exp-dir", "exp/x", OPTIONS[field], "3.5"])
    assert read_end_points(args) == EndPoints(**{field: 3.5})


@pytest.mark.parametrize("field", ["after_speech", "longest"])
def test_utterances_end_where_an_option_says(run, make_wave, recognizer, field):
    wave = make_wave("a.wav", 6.0)
    rules = replace(NEVER, **{field: getattr(RULES, field)})
    expected = listen(recognizer, read_audio(wave, 16000), [], rules)
    flags = [
        word for name, option in OPTIONS.items() for word in (option, vars(rules)[name])
    ]
    search = recognizer.config.decode
    changes = [f"decode={search.name}"] if search.has_beam else []
    given = ["--chunk", 0.32, "--left", 2, *flags, "--decode", *changes]
    lines = run(wave, *given)[1].splitlines()
    assert [line.split("\t")[1:] for line in lines] == [
        [f"{one.start:.2f}", f"{one.end:.2f}", one.text] for one in expected
    ]
    assert len(lines) > 1


@pytest.mark.parametrize("value", ["0", "-1", "nan"])
@pytest.mark.parametrize("option", OPTIONS.values())
def test_end_points_that_cannot_be(run, option, value):
    with pytest.raises(InputError, match=f"{option} must be above 0 seconds, got"):
        run("a.wav", option, value)


def test_models_of_whole_utterances(run, make_wave, exp_dir, make_exp):
    wave = make_wave("a.wav", 1.0)
    for exp in (exp_dir, make_exp([None], [None])):
        with pytest.raises(InputError, match=r"encoder\.chunks\.sizes has no number"):
            run(wave, exp=exp)


def test_a_model_that_has_seen_all_that_came_before_takes_any_left(
    run, make_wave, make_exp
):
    wave, exp = make_wave("a.wav", 1.0), make_exp([16], [None])
    with pytest.raises(InputError, match=r"give decode\.left"):
        run(wave, exp=exp)
    assert run(wave, "--left", 5, exp=exp)[0] == 0


@pytest.mark.parametrize("search", CHANGES.values(), ids=CHANGES)
def test_a_terminal_shows_what_is_said_so_far(run, make_wave, monkeypatch, search):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    out = run(make_wave("a.wav", 3.0), "--decode", *search)[1]
    *partial, last = terminal.getvalue().split("\r\x1b[K")[1:]
    (text,) = (line.split("\t")[3] for line in out.splitlines())
    assert len(partial) == 4  # chunks of 0.64 s in 3 s
    assert text
    assert "real-time factor" in last
    columns, before, faint = shutil.get_terminal_size().columns, "", 0
    for part in partial:
        sure, _, rest = part.partition("\x1b[2m")
        rest, normal, _ = rest.partition("\x1b[22m")
        assert bool(rest) == bool(normal)
        faint += len(rest)
        assert len(sure + rest) < columns
        # What is not faint stays, but for what the line has no room for.
        assert len(sure + rest) == columns - 1 or sure.startswith(before)
        before = sure
    assert bool(faint) == bool(search)


def resident():
    """Return the memory that this process holds, MiB."""
    (line,) = (
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    )
    return int(line.split()[1]) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux")
def test_six_minutes_are_what_a_set_in_chunks_says_and_take_no_memory(
    recognizer, make_wave
):
    recognizer = replace(recognizer, chunks=(16, 4))
    audio = read_audio(make_wave("a.wav", 360.0), 16000)
    live, held = Live(recognizer, size=16, left=4, end_points=NEVER), []
    found = []
    for minute in audio.split(60 * 16000):
        for packet in minute.split(640):
            found += live.push(packet)
        held.append(resident())
    found += live.push(audio[:0], ended=True)
    assert held[-1] - held[0] < 6  # its samples take 19 MiB, its features 10
    texts = recognizer.texts(recognizer.find(audio_batch([audio], 16000)))
    assert [one.text for one in found] == texts
    assert len(texts[0]) > 2000
