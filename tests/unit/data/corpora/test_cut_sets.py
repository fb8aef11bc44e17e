"""Cuts of any kind as utterances; what is right is what Lhotse itself reads."""

import json

import numpy as np
import pytest
import soundfile
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource
from lhotse.augmentation import Resample
from lhotse.cut import MixedCut, MultiCut
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

from asrkit.data.audio.signal import read
from asrkit.data.corpora.cut_sets import prepare_cuts
from asrkit.data.corpora.manifests import load_cuts, write_manifests

RATE = 16000


def record(folder, id="r", seconds=10.0, channels=1, rate=RATE, suffix="wav"):
    """Write noise whose level rises, differently in each channel."""
    count = round(seconds * rate)
    noise = np.random.default_rng(len(id) + channels).uniform(-1, 1, (count, channels))
    level = np.linspace(0.05, 0.4, count)[:, None] / np.arange(1, channels + 1)
    path = folder / f"{id}.{suffix}"
    soundfile.write(path, (noise * level).astype("f4"), rate)
    return Recording.from_file(path, recording_id=id)


def said(id, start, duration, text="A B", channel=0, **kwargs):
    return SupervisionSegment(id, "r", start, duration, channel, text, **kwargs)


def cut_of(recording, *supervisions, id="c"):
    return fastcopy(recording.to_cut(), id=id, supervisions=list(supervisions))


def prepare(*cuts, **kwargs):
    found, left_out = prepare_cuts(CutSet.from_cuts(cuts), name="x", **kwargs)
    for cut in found:
        (segment,) = cut.supervisions
        assert segment.start == pytest.approx(0, abs=0.05)
        assert segment.end == pytest.approx(cut.duration, abs=0.05)
        assert {"peak", "rms", "clipped"} <= cut.custom.keys()
    return list(found), left_out


def test_a_cut_without_supervision_is_left_out_and_counted(tmp_path):
    recording = record(tmp_path)
    good = cut_of(recording, said("s", 0, 10), id="good")
    (cut,), (row,) = prepare(good, cut_of(recording, id="bare"))
    assert cut.id == "good"
    assert (row.id, row.path) == ("bare", str(tmp_path / "r.wav"))
    assert row.reason.startswith("no supervision")


def test_several_supervisions_become_a_cut_each(tmp_path, caplog):
    recording = record(tmp_path)
    cut = cut_of(recording, said("s1", 1, 2, "ONE"), said("s2", 2.5, 4, "TWO"))
    found, left_out = prepare(cut)
    assert left_out == []
    assert [(c.id, c.start, c.duration) for c in found] == [
        ("s1", 1.0, 2.0),
        ("s2", 2.5, 4.0),
    ]
    assert [c.supervisions[0].text for c in found] == ["ONE", "TWO"]
    samples = recording.load_audio()[0]
    np.testing.assert_array_equal(read(found[1], RATE), samples[40000:104000])
    assert "1 cuts have several supervisions" in caplog.text
    assert "1 supervisions overlap" in caplog.text
    assert "s1 with s2" in caplog.text


def test_one_supervision_of_a_long_recording_is_cut_out(tmp_path):
    recording = record(tmp_path)
    cut = cut_of(recording, said("s", 4, 1.5), id="c").truncate(
        offset=3, preserve_id=True
    )
    (found,), _ = prepare(cut)
    assert (found.id, found.start, found.duration) == ("c", 4.0, 1.5)


@pytest.mark.parametrize(
    ("start", "duration", "reason"),
    [
        (0, 20, "its text is that of 0 to 20 s, its audio that of 0 to 10 s"),
        (-1.5, 4, "its text is that of -1.5 to 2.5 s, its audio that of 0 to 10 s"),
        (29, 0.5, "its text is that of 29 to 29.5 s, its audio that of 0 to 10 s"),
        (2, 0, "its supervision is 0 s long"),
    ],
)
@pytest.mark.parametrize("others", [0, 1])
def test_text_outside_of_the_audio_is_left_out(
    tmp_path, start, duration, reason, others
):
    recording = record(tmp_path)
    more = [said("fine", 3, 1)] * others
    found, (row,) = prepare(cut_of(recording, said("s", start, duration), *more))
    assert row.reason == reason
    assert [cut.id for cut in found] == ["fine"] * others


def test_a_cut_truncated_by_lhotse_is_left_out(tmp_path):
    whole = cut_of(record(tmp_path), said("s", 0, 10))
    half = whole.truncate(duration=5, preserve_id=True)
    late = whole.truncate(offset=5, preserve_id=True).with_id("late")
    found, left_out = prepare(half, late)
    assert found == []
    assert [row.reason for row in left_out] == [
        "its text is that of 0 to 10 s, its audio that of 0 to 5 s",
        "its text is that of -5 to 5 s, its audio that of 0 to 5 s",
    ]


def test_a_supervision_without_text_is_left_out(tmp_path):
    _, (row,) = prepare(cut_of(record(tmp_path), said("s", 0, 10, None)))
    assert row.reason == "its supervision has no text"


def test_ids_stay_apart(tmp_path):
    one, two = record(tmp_path, "one"), record(tmp_path, "two", 8.0)
    pieces = [said("1", 0, 1), said("2", 2, 1)]
    found, (row,) = prepare(
        cut_of(one, *pieces, id="a"),
        cut_of(two, *pieces, id="b"),
        cut_of(two, said("2", 0, 8), id="2"),
    )
    assert [(cut.id, cut.recording_id) for cut in found] == [
        ("1", "one"),
        ("2", "one"),
        ("b-1", "two"),
        ("b-2", "two"),
    ]
    assert row.id == "2"
    assert row.reason.startswith("another utterance has this id")


def test_supervisions_name_channels(tmp_path):
    recording = record(tmp_path, channels=2)
    cut = cut_of(
        recording,
        said("left", 1, 2, channel=0),
        said("right", 2, 2, channel=1),
        said("both", 5, 2, channel=[0, 1]),
    )
    assert isinstance(cut, MultiCut)
    both, left, right = prepare(cut)[0]
    samples = recording.load_audio()
    np.testing.assert_array_equal(read(left, RATE), samples[0, 16000:48000])
    np.testing.assert_array_equal(read(right, RATE), samples[1, 32000:64000])
    np.testing.assert_array_equal(read(both, RATE), samples[:, 80000:112000].mean(0))
    assert (type(left), type(both)) == (MonoCut, MultiCut)
    assert both.custom["silent_channels"] == []


def test_an_array_of_files_of_one_channel_each(tmp_path):
    parts = [record(tmp_path, f"mic{i}" + "x" * i) for i in range(2)]
    sources = [
        AudioSource("file", [i], part.sources[0].source) for i, part in enumerate(parts)
    ]
    array = fastcopy(parts[0], id="array", sources=sources, channel_ids=[0, 1])
    cut = cut_of(array, said("s", 1, 2, channel=1), said("t", 1, 2, channel=[0, 1]))
    one, mean = prepare(cut)[0]
    both = np.stack([part.load_audio()[0, 16000:48000] for part in parts])
    np.testing.assert_array_equal(read(one, RATE), both[1])
    np.testing.assert_array_equal(read(mean, RATE), both.mean(0))


def test_padding_is_cut_off(tmp_path):
    cut = cut_of(record(tmp_path, seconds=3.0), said("s", 0, 3)).pad(duration=5)
    assert isinstance(cut, MixedCut)
    (found,), _ = prepare(cut)
    assert found.duration == 3.0
    assert read(found, RATE).shape == (3 * RATE,)


def test_noise_stays_in_the_mix(tmp_path):
    noise = record(tmp_path, "noise", 4.0).to_cut()
    cut = cut_of(record(tmp_path, seconds=3.0), said("s", 0, 3))
    mixed = cut.mix(noise, snr=10, preserve_id="left")
    (found,), left_out = prepare(mixed)
    assert left_out == []
    assert found.duration == 3.0
    np.testing.assert_array_equal(
        read(found, RATE), mixed.truncate(duration=3).load_audio()[0]
    )
    rms = np.sqrt((read(found, RATE) ** 2).mean())
    assert found.custom["rms"] == pytest.approx(rms, abs=1e-6)


def test_two_speakers_in_a_mix(tmp_path, caplog):
    one = cut_of(record(tmp_path, "one", 3.0), said("s1", 0, 3, "ONE"), id="c1")
    two = cut_of(record(tmp_path, "other", 4.0), said("s2", 0, 4, "TWO"), id="c2")
    mixed = one.mix(two, offset_other_by=2.0)
    found, left_out = prepare(mixed)
    assert left_out == []
    samples = mixed.load_audio()[0]
    np.testing.assert_allclose(read(found[0], RATE), samples[: 3 * RATE], atol=1e-6)
    np.testing.assert_allclose(
        read(found[1], RATE), samples[2 * RATE : 6 * RATE], atol=1e-6
    )
    assert [cut.supervisions[0].text for cut in found] == ["ONE", "TWO"]
    assert "s1 with s2" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        lambda cut: cut.resample(8000),
        lambda cut: cut.perturb_speed(1.1),
        lambda cut: cut.perturb_volume(0.5),
        lambda cut: cut.perturb_speed(0.9).resample(8000).pad(duration=12),
    ],
)
def test_lazy_changes_stay(tmp_path, change):
    cut = change(cut_of(record(tmp_path, seconds=3.0), said("s", 0, 3)))
    (found,), left_out = prepare(cut)
    assert left_out == []
    segment = cut.supervisions[0]
    expected = cut.truncate(duration=segment.duration).load_audio()[0]
    np.testing.assert_allclose(read(found, cut.sampling_rate), expected, atol=1e-6)


def test_a_transform_of_the_whole_mix_outlives_trimming(tmp_path):
    one = cut_of(record(tmp_path, "one", 3.0), said("s1", 0, 3), id="c1")
    two = cut_of(record(tmp_path, "other", 4.0), said("s2", 0, 4), id="c2")
    echo = np.zeros(RATE)
    echo[[0, 4000]] = 0.5, 0.25
    soundfile.write(tmp_path / "echo.wav", echo, RATE, subtype="FLOAT")
    rir = Recording.from_file(tmp_path / "echo.wav")
    mixed = one.append(two).reverb_rir(rir, mix_first=True, normalize_output=False)
    (first, second), left_out = prepare(mixed)
    assert left_out == []
    samples = mixed.load_audio()[0]
    plain = one.append(two).load_audio()[0]
    assert np.abs(samples - plain).max() > 0.1
    np.testing.assert_allclose(read(first, RATE), samples[: 3 * RATE], atol=1e-6)
    slower = Resample(RATE, 8000)(samples[None, : 3 * RATE], RATE)[0]
    np.testing.assert_allclose(read(first, 8000), slower, atol=1e-6)
    # The echo of the first speaker is not part of what the second says.
    after = slice(3 * RATE + 4000, None)
    np.testing.assert_allclose(read(second, RATE)[4000:], samples[after], atol=1e-6)


@pytest.mark.parametrize("stated", [500.0, 10.2])
def test_a_recording_that_is_too_short_is_left_out(tmp_path, stated):
    recording = record(tmp_path)
    wrong = fastcopy(recording, duration=stated, num_samples=round(stated * RATE))
    good = cut_of(wrong, said("s", 4, 2), said("late", 9, 1.15), id="parts")
    whole = cut_of(wrong, said("w", 0, stated), id="whole")
    (found,), left_out = prepare(good, whole)
    assert found.id == "s"
    assert found.recording.duration == 10.0
    np.testing.assert_array_equal(
        read(found, RATE), recording.load_audio()[0, 64000:96000]
    )
    assert {row.id: row.reason for row in left_out} == {
        "late": "segment from 9 to 10.15 s passes the end of the file at 10 s",
        "whole": f"10 s long, its manifest says {stated:g} s",
    }


def test_the_file_counts_not_the_manifest(tmp_path, caplog):
    recording = record(tmp_path, channels=2, rate=8000)
    wrong = fastcopy(recording, sampling_rate=RATE, duration=5.0, num_samples=5 * RATE)
    (found,), left_out = prepare(cut_of(wrong, said("s", 0, 5, channel=1)))
    assert left_out == []
    assert (found.sampling_rate, found.duration) == (8000, 10.0)
    np.testing.assert_array_equal(read(found, 8000), recording.load_audio()[1])
    assert "the files count (r)" in caplog.text


@pytest.mark.parametrize("outside", [False, True])
def test_times_of_words(tmp_path, caplog, outside):
    # Lhotse counts the times of an alignment from the recording's start.
    words = [AlignmentItem("A", 2.0, 0.5), AlignmentItem("B", 2.5, 1.0 + outside)]
    segment = said("s", 2, 1.5, alignment={"word": words})
    (found,), _ = prepare(cut_of(record(tmp_path), segment))
    kept = found.supervisions[0].alignment
    assert kept == ({} if outside else {"word": words})
    assert ("the times of their words are not kept (s)" in caplog.text) == outside


# Lhotse leaves the file open that it moves to memory.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_audio_in_memory_and_of_commands_becomes_files(tmp_path):
    recording = record(tmp_path, seconds=2.0)
    samples = recording.load_audio()
    memory = fastcopy(recording.move_to_memory(format="flac"), id="memory/1")
    command = fastcopy(
        recording,
        id="command",
        sources=[AudioSource("command", [0], f"cat {tmp_path / 'r.wav'}")],
    )
    cuts = [
        cut_of(memory, said("s", 0, 2), id="memory"),
        cut_of(command, said("s", 0.5, 1), id="command"),
    ]
    kept, left_out = prepare(*cuts)
    assert kept == []
    assert [row.reason for row in left_out] == [
        "is a command, and none is run",
        "its audio is not in a file",
    ]
    folder = tmp_path / "converted"
    (second, first), left_out = prepare(*cuts, converted=folder, run_commands=True)
    assert left_out == []
    assert len(list(folder.iterdir())) == 2
    np.testing.assert_allclose(read(first, RATE), samples[0], atol=1 / 2**15)
    np.testing.assert_allclose(read(second, RATE), samples[0, 8000:24000], atol=1e-4)


def test_what_cannot_be_read_is_left_out(tmp_path):
    recording = record(tmp_path)
    gone = fastcopy(
        recording, sources=[AudioSource("file", [0], str(tmp_path / "gone.wav"))]
    )
    cuts = [
        cut_of(gone, said("s", 0, 10), id="gone"),
        cut_of(gone, said("s", 0, 10), id="lazy").perturb_speed(1.1, affix_id=False),
        fastcopy(cut_of(recording, said("s", 0, 10), id="bare"), recording=None),
        fastcopy(cut_of(recording, said("s", 0, 10), id="channel"), channel=3),
    ]
    found, left_out = prepare(*cuts)
    assert found == []
    assert {row.id: row.reason for row in left_out} == {
        "gone": "no such file",
        "lazy": "no such file",
        "bare": "has no recording",
        "channel": "has no channel 3; its channels are 0 to 0",
    }


def test_utterances_come_back_from_their_manifest(tmp_path):
    stereo = record(tmp_path, channels=2)
    plain = cut_of(record(tmp_path, "plain", 3.0), said("s", 0, 3), id="plain")
    noise = record(tmp_path, "noise", 4.0).to_cut()
    cuts = [
        cut_of(stereo, said("both", 1, 2, channel=[0, 1]), said("one", 5, 2)),
        plain.mix(noise, snr=10, preserve_id="left"),
        plain.perturb_speed(1.1).resample(8000),
    ]
    found, _ = prepare(*cuts)
    write_manifests({"train": CutSet.from_cuts(found)}, {}, tmp_path, "x")
    again = list(load_cuts(tmp_path, "train"))
    assert [json.dumps(cut.to_dict()) for cut in again] == [
        json.dumps(cut.to_dict()) for cut in found
    ]
    for cut, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(read(cut, RATE), read(other, RATE))
