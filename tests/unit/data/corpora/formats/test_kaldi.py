"""Kaldi data directories and ESPnet's dumps (kaldi-asr.org/doc/data_prep.html)."""

import io
import struct

import numpy as np
import pytest
import soundfile
from lhotse import CutSet
from lhotse.kaldi import load_kaldi_data_dir

from asrkit.utils.errors import InputError
from tests.unit.data.corpora.formats.reading import facts, read, reasons, tone


@pytest.fixture
def data(tmp_path):
    """Return a function that writes a data directory of two recordings."""
    tone(tmp_path / "wav" / "r1.wav", 10.0)
    tone(tmp_path / "wav" / "r2.wav", 2.0)

    def write(folder="data/train", **files):
        folder = tmp_path / folder
        folder.mkdir(parents=True, exist_ok=True)
        files.setdefault("wav_scp", f"r1 {tmp_path}/wav/r1.wav\nr2 wav/r2.wav\n")
        for name, text in files.items():
            (folder / name.replace("_scp", ".scp")).write_text(text)
        return folder

    return write


def test_recordings_are_utterances(data):
    folder = data(text="r1 HELLO  WORLD\nr2\n", utt2spk="r1 ann\nr2 bob\n")
    cuts, left_out = read(folder)
    assert left_out == []
    assert facts(cuts) == [
        ("r1", 0.0, 10.0, "HELLO  WORLD", "ann"),
        ("r2", 0.0, 2.0, "", "bob"),
    ]


def test_same_as_lhotse(data):
    """Lhotse 1.33 reads the same where nothing is wrong."""
    files = {
        "segments": "u1 r1 0.5 2.25\nu2 r1 3 4.5\n",
        "text": "u1 A\nu2 B C\n",
        "utt2spk": "u1 ann\nu2 bob\n",
    }
    folder = data(wav_scp=f"r1 {data().parents[1]}/wav/r1.wav\n", **files)
    recordings, supervisions, _ = load_kaldi_data_dir(folder, sampling_rate=8000)
    reference = CutSet.from_manifests(recordings, supervisions).trim_to_supervisions()
    expected = [(one.supervisions[0].id, *rest) for one, (_, *rest) in zip(
        reference, facts(reference), strict=True
    )]  # fmt: skip
    assert facts(read(folder)[0]) == expected


def test_what_does_not_fit_is_left_out(data):
    """Lhotse 1.33: KeyError 'u2', 29.5 s of 10, 500 s of 10."""
    folder = data(
        segments=(
            "u1 r1 0.5 2.25\nu2 r1 3 4\nu3 r1 0.5 30\nu4 r9 0 1\nu5 r1 2 -1\n"
            "u6 r1 2 2\nu7 r1 x 2\nu8 r1 1\n"
        ),
        text="u1 A\nu3 C\nu4 D\nu5 E\nu6 F\nu7 G\nu8 H\nu9 I\n",
        reco2dur="r1 500\nr2 500\n",
    )
    cuts, left_out = read(folder)
    assert facts(cuts) == [("u1", 0.5, 1.75, "A", None), ("u5", 2.0, 8.0, "E", None)]
    found = reasons(left_out)
    assert found.keys() == {"u2", "u3", "u4", "u6", "u7", "u8", "u9"}
    assert found["u2"] == "no line in text"
    assert "from 0.5 to 30 s passes the end of the file at 10 s" in found["u3"]
    assert found["u4"] == "no line r9 in wav.scp"
    assert found["u6"] == "the segment from 2 to 2 s is none"
    assert "expected UTTERANCE RECORDING START END" in found["u7"]
    assert found["u9"] == "no line in segments"
    places = {row.id: row.path for row in left_out}
    assert places["u8"] == f"{folder}/segments:8"


def test_recordings_without_a_segment_are_listed(data):
    folder = data(segments="u1 r1 0 1\n", text="u1 A\n")
    cuts, (left,) = read(folder)
    assert [cut.id for cut in cuts] == ["u1"]
    assert (left.id, left.reason) == ("r2", "no line in segments names it")


def test_lines_that_come_again(data):
    folder = data(
        text="u1 A\nu1 OTHER\nu2 B\nu2 B\n",
        segments="u1 r1 0 1\nu2 r2 0 1\nu2 r2 1 2\n",
    )
    cuts, left_out = read(folder)
    assert facts(cuts)[0][3] == "A"
    assert reasons(left_out) == {
        "u1": "text has another line for u1, which counts",
        "u2": f"another utterance has this id: {folder.parents[1]}/wav/r2.wav",
    }


def test_without_text(data):
    with pytest.raises(InputError, match=r"train/text: No such file"):
        read(data())


def test_commands_are_refused(data, tmp_path):
    folder = data(wav_scp=f"r1 touch {tmp_path}/ran |\n", text="r1 A\n")
    with pytest.raises(
        InputError, match=r"wav\.scp: r1 is a .* add --run-commands"
    ) as e:
        read(folder)
    assert "\n" not in str(e.value)
    assert not (tmp_path / "ran").exists()


def test_commands_are_run_once(data, tmp_path):
    wave = tmp_path / "wav" / "r1.wav"
    folder = data(
        wav_scp=f"r1 echo x >> {tmp_path}/ran; cat {wave} |\nr2 cat {tmp_path}/gone |\n"
        "r3 true |\n",
        text="r1 A\nr2 B\nr3 C\n",
    )
    for _ in range(2):
        cuts, left_out = read(folder, out=tmp_path / "out", run_commands=True)
        assert facts(cuts) == [("r1", 0.0, 10.0, "A", None)]
        found = reasons(left_out)
        assert "ended with status 1 and 0 bytes" in found["r2"]
        assert "No such file" in found["r2"]
        assert "ended with status 0 and 0 bytes" in found["r3"]
    assert (tmp_path / "ran").read_text() == "x\n"
    path = cuts[0].recording.sources[0].source
    assert path.startswith(f"{tmp_path}/out/part/r1-")
    # Another command makes another file.
    folder = data(wav_scp=f"r1 cat {wave} | cat |\n", text="r1 A\n")
    (cut,) = read(folder, out=tmp_path / "out", run_commands=True)[0]
    assert cut.recording.sources[0].source != path


@pytest.mark.parametrize("format", ["WAV", "FLAC"])
def test_archives(data, tmp_path, format):
    """As kaldiio 2.18 writes wav.ark and flac.ark for ESPnet."""
    archive, places = tmp_path / "dump" / "wav.ark", []
    archive.parent.mkdir()
    with archive.open("wb") as file:
        for seconds in (1.0, 2.0):
            audio = io.BytesIO()
            soundfile.write(
                audio, np.full(int(8000 * seconds), 0.1), 8000, format=format
            )
            file.write(b"key ")
            places.append(file.tell())
            size = len(audio.getvalue()).to_bytes(3, "little")
            head = b"" if format == "WAV" else b"AUDIO" + struct.pack("<B", 3) + size
            file.write(head + audio.getvalue())
    lines = [f"r{at} dump/wav.ark:{at}" for at in (*places, 1)]
    text = "".join(f"r{at} T\n" for at in (*places, 1))
    folder = data("dump/raw/train", wav_scp="\n".join(lines), text=text)
    cuts, (left,) = read(folder, out=tmp_path / "out")
    assert sorted(cut.duration for cut in cuts) == [1.0, 2.0]
    assert left.reason == "holds neither WAV nor AUDIO at byte 1"


def test_channels(data, tmp_path):
    """One file of two speakers; and files that hold a channel each already."""
    two = tone(tmp_path / "wav" / "two.wav", 1.0, channels=2)
    mono = tmp_path / "wav" / "r2.wav"
    folder = data(
        wav_scp=f"c-A {two}\nc-B {two}\nd-B {mono}\n",
        text="c-A ONE\nc-B TWO\nd-B THREE\n",
        reco2file_and_channel="c-A c A\nc-B c B\nd-B d B\n",
    )
    cuts, left_out = read(folder)
    assert left_out == []
    assert [cut.channel for cut in cuts] == [0, 1, 0]
    assert cuts["c-B"].custom["peak"] == pytest.approx(0.2, abs=1e-3)
