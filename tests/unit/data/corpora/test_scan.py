"""Reading recordings: what the cuts say of them and what is left out."""

import math

import numpy as np
import pytest
import soundfile
from lhotse.supervision import AlignmentItem

from asrkit.data.audio import inspect as audio_inspect
from asrkit.data.audio.signal import read
from asrkit.data.corpora.scan import Utterance, scan
from asrkit.data.corpora.word_times import TimedWord
from asrkit.data.left_out import LeftOut

RATE = 16000


def write(path, samples, rate=RATE, **kwargs):
    soundfile.write(path, np.asarray(samples, dtype=np.float32), rate, **kwargs)
    return path


def one(path, **kwargs):
    return Utterance(id="u", path=path, text="A", **kwargs)


def test_statistics_of_a_sine(tmp_path):
    sine = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    path = write(tmp_path / "a.flac", sine)
    cuts, left_out = scan([one(path, speaker="s")], name="x")
    (cut,) = cuts
    assert left_out == []
    assert cut.custom["peak"] == pytest.approx(0.5, abs=1e-3)
    assert cut.custom["rms"] == pytest.approx(0.5 / math.sqrt(2), abs=1e-3)
    assert cut.custom["clipped"] == 0
    assert cut.duration == 1.0
    (supervision,) = cut.supervisions
    assert (supervision.id, supervision.text, supervision.speaker) == ("u", "A", "s")
    np.testing.assert_allclose(cut.load_audio()[0], sine, atol=1e-4)


@pytest.mark.parametrize("block", [2**20, 60])
def test_clipped_share(tmp_path, monkeypatch, block):
    monkeypatch.setattr(audio_inspect, "_SAMPLES", block)
    samples = np.zeros(1000)
    samples[:100] = -1.0
    samples[100:150] = 1.0
    samples[150:200] = 0.99
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    (cut,) = scan([one(path)], name="x")[0]
    assert cut.custom["clipped"] == 0.15
    assert cut.custom["peak"] == 1.0
    rms = math.sqrt(0.15 + 0.05 * 0.99**2)
    assert cut.custom["rms"] == pytest.approx(rms, abs=1e-6)


def test_segment_reads_only_the_segment(tmp_path):
    samples = np.zeros(3 * RATE)
    samples[RATE : 2 * RATE] = np.linspace(0.1, 0.3, RATE)
    samples[2 * RATE :] = np.nan  # would be refused, were it read
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    (cut,) = scan([one(path, start=1.0, duration=1.0)], name="x")[0]
    assert (cut.start, cut.duration) == (1.0, 1.0)
    assert cut.custom["peak"] == pytest.approx(0.3, abs=1e-5)
    np.testing.assert_array_equal(
        cut.load_audio()[0], samples[RATE : 2 * RATE].astype(np.float32)
    )


def test_segment_without_duration_goes_to_the_end(tmp_path):
    path = write(tmp_path / "a.wav", np.full(2 * RATE, 0.1))
    (cut,) = scan([one(path, start=0.5)], name="x")[0]
    assert cut.duration == 1.5


def test_rounded_end_is_taken_for_the_end(tmp_path):
    path = write(tmp_path / "a.wav", np.full(RATE, 0.1))
    (cut,) = scan([one(path, duration=1.005)], name="x")[0]
    assert cut.duration == 1.0


@pytest.mark.parametrize("suffix", ["flac", "wav", "ogg", "opus"])
@pytest.mark.parametrize("rate", [8000, 48000])
def test_formats_and_rates(tmp_path, suffix, rate):
    options = {"format": "OGG", "subtype": "OPUS"} if suffix == "opus" else {}
    samples = 0.3 * np.sin(2 * np.pi * 300 * np.arange(rate) / rate)
    path = write(tmp_path / f"a.{suffix}", samples, rate, **options)
    (cut,) = scan([one(path)], name="x")[0]
    assert cut.sampling_rate == rate
    assert cut.custom["rms"] == pytest.approx(0.3 / math.sqrt(2), abs=0.02)
    assert cut.load_audio().shape == (1, rate)


def test_without_a_channel_the_mean_of_all_is_heard(tmp_path, caplog):
    stereo = np.stack([np.full(RATE, 0.25), np.full(RATE, 0.75)], axis=1)
    path = write(tmp_path / "a.wav", stereo, subtype="FLOAT")
    (cut,) = scan([one(path)], name="calls")[0]
    assert (cut.channel, cut.supervisions[0].channel) == ([0, 1], [0, 1])
    assert (cut.custom["peak"], cut.custom["rms"]) == (0.5, 0.5)
    assert cut.custom["silent_channels"] == []
    np.testing.assert_array_equal(read(cut, RATE), np.full(RATE, 0.5, np.float32))
    assert "calls: Several channels and none named in 1 of 1 utterances" in caplog.text
    assert "silent" not in caplog.text


def test_the_silent_channel_is_named(tmp_path, caplog):
    half = np.stack([np.full(RATE, 0.5), np.zeros(RATE)], axis=1)
    path = write(tmp_path / "a.wav", half, subtype="FLOAT")
    (cut,) = scan([one(path)], name="calls")[0]
    assert cut.custom["silent_channels"] == [1]
    assert cut.custom["peak"] == 0.25
    assert "channel 1 is silent in 1 (u)" in caplog.text


def bad_file(kind, folder):
    path = folder / f"{kind}.wav"
    if kind == "text":
        path.write_text("this is no sound")
    elif kind == "truncated":
        path = write(folder / "a.flac", np.random.default_rng(0).normal(0, 0.1, RATE))
        path.write_bytes(path.read_bytes()[:9000])
    elif kind == "empty":
        write(path, [])
    elif kind == "nan":
        write(path, [0.1, np.nan, 0.1], subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "no such file"),
        ("text", "cannot be decoded"),
        ("truncated", "cannot be decoded"),
        ("empty", "empty"),
        ("nan", "not numbers"),
    ],
)
def test_bad_recordings_are_left_out(tmp_path, kind, reason):
    good = write(tmp_path / "good.wav", np.full(100, 0.1))
    path = bad_file(kind, tmp_path)
    utterances = [one(path), Utterance(id="g", path=good, text="G")]
    cuts, (row,) = scan(utterances, name="x")
    assert [cut.id for cut in cuts] == ["g"]
    assert (row.id, row.path) == ("u", str(path))
    assert reason in row.reason


def test_what_is_not_damaged_of_a_file_is_kept(tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.1, 30 * RATE)
    path = write(tmp_path / "a.flac", noise)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    rows = [
        Utterance(id=f"{i:02d}", path=path, text="A", start=2.0 * i, duration=2.0)
        for i in range(15)
    ]
    cuts, left_out = scan(rows, name="x")
    assert [row.id for row in left_out] == ["07"]
    assert [cut.id for cut in cuts] == [row.id for row in rows if row.id != "07"]


@pytest.mark.parametrize(
    "segment", [{"start": 0.5, "duration": 0.6}, {"start": 1.0}, {"start": 2.0}]
)
def test_segment_past_the_end(tmp_path, segment):
    path = write(tmp_path / "a.wav", np.full(RATE, 0.1))
    cuts, (row,) = scan([one(path, **segment)], name="x")
    assert len(cuts) == 0
    assert "passes the end of the file at 1 s" in row.reason


def test_second_of_an_id_is_left_out(tmp_path):
    first = write(tmp_path / "a.wav", np.full(100, 0.1))
    second = write(tmp_path / "b.wav", np.full(100, 0.2))
    cuts, left_out = scan([one(first), one(second)], name="x")
    assert [cut.custom["peak"] for cut in cuts] == [pytest.approx(0.1, abs=1e-4)]
    assert left_out == [
        LeftOut("u", str(second), f"another utterance has this id: {first}")
    ]


def test_order_and_count_do_not_depend_on_jobs(tmp_path):
    path = write(tmp_path / "a.wav", np.full(100, 0.1))
    utterances = [Utterance(id=f"{i:03d}", path=path, text="A") for i in range(50)]
    for jobs in (1, 4):
        cuts, left_out = scan(reversed(utterances), name="x", jobs=jobs)
        assert [cut.id for cut in cuts] == [f"{i:03d}" for i in range(50)]
        assert left_out == []


@pytest.mark.parametrize("channel", [0, 1])
def test_the_channel_of_an_utterance_is_read(tmp_path, channel):
    samples = np.stack([np.full(RATE, 0.25), np.full(RATE, 0.5)], axis=1)
    path = write(tmp_path / "a.wav", samples)
    (cut,) = scan([one(path, channel=channel)], name="x")[0]
    assert (cut.channel, cut.supervisions[0].channel) == (channel, channel)
    assert cut.custom["peak"] == (0.25, 0.5)[channel]
    np.testing.assert_array_equal(cut.load_audio()[0], samples[:, channel])


def test_a_channel_that_a_recording_lacks_is_left_out(tmp_path):
    path = write(tmp_path / "a.wav", np.full((RATE, 2), 0.25))
    cuts, (row,) = scan([one(path, channel=2)], name="x")
    assert len(cuts) == 0
    assert row.reason == "has no channel 2; its channels are 0 to 1"


def test_times_of_words_count_from_the_recordings_start(tmp_path):
    # As in lhotse.supervision's example: a segment at 33 s has a phone at 33 s.
    path = write(tmp_path / "a.wav", np.full(2 * RATE, 0.25))
    words = [TimedWord("A", 0.1, 0.4)]
    (cut,) = scan([one(path, start=1.0, words=words)], name="x")[0]
    assert cut.supervisions[0].alignment == {"word": [AlignmentItem("A", 1.1, 0.3)]}
