"""Recordings of every kind: RAW, damaged, and those that ffmpeg decodes."""

import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from asrkit.data.audio import ffmpeg
from asrkit.data.audio.files import read_audio
from asrkit.data.audio.signal import read
from asrkit.data.audio.sound_file import open_sound
from asrkit.data.corpora.scan import Utterance, scan
from asrkit.data.left_out import UnusableError
from asrkit.utils.errors import InputError

RATE = 16000
needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="ffmpeg is not installed"
)


def tone(seconds=1.0, rate=RATE, frequency=440):
    return 0.4 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def encode(folder, name, *options, rate=RATE, channels=1):
    """Encode a second of a tone with ffmpeg itself."""
    source = folder / "source.wav"
    columns = [tone(rate=rate) * (1 - channel) for channel in range(channels)]
    soundfile.write(source, np.stack(columns, axis=1), rate)
    target = folder / name
    command = ["ffmpeg", "-v", "error", "-y", "-i", source, *options, target]
    subprocess.run(command, check=True)
    return target


def utterance(path, id="u", **kwargs):
    return Utterance(id=id, path=path, text="A", **kwargs)


def test_raw_is_left_out_and_says_what_to_do(tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(3200))
    good = tmp_path / "b.wav"
    soundfile.write(good, tone(0.1), RATE)
    rows = [utterance(path), utterance(good, "g")]
    cuts, (row,) = scan(rows, name="x", converted=tmp_path / "converted")
    assert [cut.id for cut in cuts] == ["g"]
    assert "no header" in row.reason
    with pytest.raises(
        InputError,
        match=r"a\.raw cannot .* no header .* sox -r 16000",
    ):
        read_audio(path, RATE)


def without_length(path):
    """Write a second as FLAC without its length, as into a pipe (RFC 9639)."""
    soundfile.write(path, tone(), RATE)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # 36 bits of STREAMINFO: total samples, 0 for unknown
    data[22:26] = bytes(4)
    path.write_bytes(data)


def test_flac_from_a_pipe_does_not_say_its_length(tmp_path):
    path = tmp_path / "a.flac"
    without_length(path)
    with pytest.raises(UnusableError, match="does not say how long"):
        open_sound(path)


@needs_ffmpeg
def test_flac_from_a_pipe_is_read_by_ffmpeg(tmp_path):
    path = tmp_path / "a.flac"
    without_length(path)
    cuts, left_out = scan([utterance(path)], name="x", converted=tmp_path / "converted")
    assert left_out == []
    assert [cut.duration for cut in cuts] == [1.0]


def test_whatever_a_reader_raises_becomes_a_reason(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(0.1), RATE)

    def fail(self, *args, **kwargs):
        raise AttributeError("odd\nand more")

    monkeypatch.setattr(soundfile.SoundFile, "buffer_read_into", fail)
    monkeypatch.setattr(soundfile.SoundFile, "read", fail)
    cuts, (row,) = scan([utterance(path)], name="x")
    assert len(cuts) == 0
    assert row.reason == "cannot be decoded: AttributeError: odd"
    with pytest.raises(InputError, match=r"a\.wav cannot .*: AttributeError: odd"):
        read_audio(path, RATE)


def test_without_ffmpeg_the_message_names_it(tmp_path, monkeypatch):
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(2000))
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: None)
    _, (row,) = scan([utterance(path)], name="x", converted=tmp_path / "converted")
    assert "ffmpeg, which decodes m4a" in row.reason
    assert "is not installed" in row.reason
    with pytest.raises(InputError, match=r"a\.m4a cannot .*ffmpeg.*is not installed"):
        read_audio(path, RATE)


FORMATS = {
    "a.m4a": ["-c:a", "aac"],
    "a.aac": ["-c:a", "aac"],
    "a.webm": ["-c:a", "libopus"],
    "a.mkv": ["-c:a", "libopus"],
    "a.wma": ["-c:a", "wmav2"],
}


@needs_ffmpeg
@pytest.mark.parametrize(
    "name",
    ["a.m4a", *(pytest.param(name, marks=pytest.mark.slow) for name in [*FORMATS][1:])],
)
def test_what_ffmpeg_decodes_is_trained_on_and_transcribed(tmp_path, name):
    path = encode(tmp_path, name, *FORMATS[name])
    converted = tmp_path / "converted"
    (cut,) = scan([utterance(path)], name="x", converted=converted)[0]
    (file,) = converted.iterdir()
    assert cut.recording.sources[0].source == str(file)
    assert cut.custom["rms"] == pytest.approx(0.4 / np.sqrt(2), rel=0.05)
    assert cut.duration == pytest.approx(1.0, abs=0.1)
    trained = read(cut, RATE)
    np.testing.assert_allclose(read_audio(path, RATE).numpy(), trained, atol=1e-4)


@needs_ffmpeg
def test_amr(tmp_path):
    # RFC 4867: magic number, then frames of 20 ms; 0x3C begins one of 12.2 kbit/s,
    # which has 31 bytes more.
    frame = bytes([0x3C]) + np.random.default_rng(0).bytes(31)
    path = tmp_path / "a.amr"
    path.write_bytes(b"#!AMR\n" + 50 * frame)
    (cut,) = scan([utterance(path)], name="x", converted=tmp_path / "converted")[0]
    assert (cut.sampling_rate, cut.recording.num_samples) == (8000, 50 * 160)
    assert cut.custom["rms"] > 0


@needs_ffmpeg
def test_sound_of_a_video_with_two_channels(tmp_path):
    picture = ["-f", "lavfi", "-i", "color=size=16x16:rate=5:duration=1"]
    options = [*picture, "-c:v", "mpeg4", "-c:a", "aac"]
    path = encode(tmp_path, "a.mp4", *options, channels=2)
    (cut,) = scan([utterance(path)], name="x", converted=tmp_path / "converted")[0]
    assert (cut.channel, cut.custom["silent_channels"]) == ([0, 1], [1])
    assert cut.custom["rms"] == pytest.approx(0.2 / np.sqrt(2), rel=0.05)
    np.testing.assert_allclose(
        read_audio(path, RATE).numpy(), read(cut, RATE), atol=1e-4
    )


@needs_ffmpeg
def test_a_recording_is_converted_once(tmp_path, monkeypatch):
    path = encode(tmp_path, "a.m4a", "-c:a", "aac")
    converted = tmp_path / "converted"
    rows = [utterance(path, str(i), start=0.2 * i, duration=0.2) for i in range(4)]
    cuts, left_out = scan(rows, name="x", converted=converted)
    assert (len(cuts), left_out) == (4, [])
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: None)
    again, _ = scan(rows, name="x", converted=converted)
    assert list(again) == list(cuts)


@needs_ffmpeg
def test_damaged_files_are_left_out_not_cut_short(tmp_path):
    whole = encode(tmp_path, "a.m4a", "-c:a", "aac", "-movflags", "+faststart")
    half = tmp_path / "half.m4a"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    text = tmp_path / "text.m4a"
    text.write_text("<html>not found</html>")
    converted = tmp_path / "converted"
    rows = [utterance(half, "half"), utterance(text, "text")]
    cuts, left_out = scan(rows, name="x", converted=converted)
    assert len(cuts) == 0
    assert ["ffmpeg says" in row.reason for row in left_out] == [True, True]
    assert list(converted.iterdir()) == []
    with pytest.raises(InputError, match="ffmpeg says"):
        read_audio(text, RATE)
