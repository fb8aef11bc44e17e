"""SPHERE headers as the LDC writes them, and what shorten has packed."""

import stat
import sys

import numpy as np
import pytest
import soundfile

from asrkit.data.audio.signal import read
from asrkit.data.audio.sound_file import open_readable, open_sound
from asrkit.data.audio.sphere import read_header
from asrkit.data.corpora.scan import Utterance, scan
from asrkit.data.left_out import UnusableError

HEADER = """NIST_1A
   1024
database_id -s11 SWITCHBOARD
conversation_id -s4 2001
channel_count -i 2
sample_rate -i 8000
sample_n_bytes -i 1
sample_sig_bits -i 8
sample_count -i 800
channels_interleaved -s4 TRUE
sample_coding -s{} {}
end_head
"""


def write(path, coding, samples=bytes([0xFF, 0x80]) * 800):
    """Write a file of 0.1 s: zero on one channel, full scale on the other."""
    head = HEADER.format(len(coding), coding).encode().ljust(1024, b"\0")
    path.write_bytes(head + samples)
    return path


def test_header(tmp_path):
    header = read_header(write(tmp_path / "a.sph", "ulaw"))
    assert (header["channel_count"], header["sample_coding"]) == ("2", "ulaw")
    assert header["channels_interleaved"] == "TRUE"
    assert "end_head" not in header
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    assert read_header(tmp_path / "b.wav") == {}


def test_mu_law_is_read_as_it_is(tmp_path):
    """G.711: 0xFF is zero, 0x80 the largest value, 32124 of 32768."""
    with open_sound(write(tmp_path / "a.sph", "ulaw")) as file:
        samples = file.read()
    assert samples.shape == (800, 2)
    assert (samples[:, 0] == 0).all()
    np.testing.assert_allclose(samples[:, 1], 32124 / 32768, atol=1e-6)


def test_what_training_reads_needs_no_program(tmp_path, monkeypatch):
    """Lhotse 1.33.0 alone calls sph2pipe for every .sph."""
    monkeypatch.setenv("PATH", "")
    path = write(tmp_path / "a.sph", "ulaw")
    row = Utterance(id="u", path=path, text="A", start=0.02, duration=0.05, channel=1)
    ((cut,), left_out) = scan([row], name="x")
    assert left_out == []
    assert read(cut, 8000) == pytest.approx(np.full(400, 32124 / 32768))


def test_packed_without_the_program(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    path = write(tmp_path / "a.sph", "ulaw,embedded-shorten-v2.00", b"ajkg\2" * 99)
    with pytest.raises(UnusableError, match=r"shorten has packed it.* put sph2pipe"):
        open_sound(path)
    with pytest.raises(UnusableError, match="put sph2pipe"):
        open_readable(path, tmp_path / "audio")


@pytest.fixture
def sph2pipe(tmp_path, monkeypatch):
    """Put a program in the place of sph2pipe that writes two channels, or fails."""
    program = tmp_path / "bin" / "sph2pipe"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys, numpy, soundfile\n"
        "*options, source, target = sys.argv[1:]\n"
        "if b'bad' in open(source, 'rb').read():\n"
        "    sys.exit('bad block')\n"
        "assert options == ['-p', '-f', 'wav'], options\n"
        "soundfile.write(target, numpy.tile([0.5, -0.25], (800, 1)), 8000)\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent))


def test_packed_is_unpacked_once(tmp_path, sph2pipe, monkeypatch):
    path = write(tmp_path / "a.sph", "pcm,embedded-shorten-v2.00", b"ajkg\2" * 99)
    for _ in range(2):
        with open_readable(path, tmp_path / "audio") as file:
            samples = file.read()
        assert (samples == [0.5, -0.25]).all()
        assert samples.shape == (800, 2)
        monkeypatch.setenv("PATH", "")
    (flac,) = (tmp_path / "audio").iterdir()
    assert soundfile.info(flac).format == "FLAC"


def test_what_the_program_says_is_the_reason(tmp_path, sph2pipe):
    path = write(tmp_path / "a.sph", "pcm,embedded-shorten-v2.00", b"bad")
    with pytest.raises(UnusableError, match="sph2pipe says bad block"):
        open_readable(path, tmp_path / "audio")
    assert list((tmp_path / "audio").iterdir()) == []
