"""scripts/transcribe.py --stream --microphone, with a stand-in for sounddevice."""

import json
import signal
import sys
import types

import numpy as np
import pytest

from asrkit.cli.decoding.interrupt import until_interrupted
from asrkit.cli.decoding.transcribe import main
from asrkit.data.audio.files import read_audio
from asrkit.utils.errors import InputError


class PortAudioError(Exception):
    pass


class InputStream:
    """Gives all of a recording when it is opened."""

    audio = np.zeros(0, dtype=np.float32)
    status = ""
    goes = False
    error = None
    is_open = False

    def __init__(self, *, samplerate, blocksize, channels, dtype, **callbacks):
        if self.error:
            raise PortAudioError(self.error)
        assert (samplerate, channels, dtype) == (16000, 1, "float32")
        self.size, self.callbacks = blocksize, callbacks

    def __enter__(self):
        InputStream.is_open = True
        block = np.zeros((self.size, 1), dtype=np.float32)  # one that is used again
        for start in range(0, len(self.audio) - self.size + 1, self.size):
            block[:, 0] = self.audio[start : start + self.size]
            self.callbacks["callback"](block, self.size, None, self.status)
        if self.goes:
            self.callbacks["finished_callback"]()
        return self

    def __exit__(self, *error):
        InputStream.is_open = False


class Heard:
    """A queue; whoever takes the last packet presses Ctrl-C."""

    def __init__(self):
        self.packets = []
        self.put = self.packets.append

    def get(self):
        packet = self.packets.pop(0)
        if not self.packets and packet is not None:
            signal.raise_signal(signal.SIGINT)
        return packet


@pytest.fixture
def microphone(monkeypatch):
    """Return a function that says what the microphone does."""
    module = types.SimpleNamespace(
        InputStream=InputStream, PortAudioError=PortAudioError
    )
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setattr("asrkit.cli.decoding.microphone.SimpleQueue", Heard)

    def does(**what):
        for name, value in what.items():
            monkeypatch.setattr(InputStream, name, value)

    return does


@pytest.fixture
def run(chunk_dir, capsys):
    def run(*arguments):
        status = main([*map(str, arguments), "--stream", "--exp-dir", str(chunk_dir)])
        return status, *capsys.readouterr()

    return run


def test_what_is_said_until_ctrl_c_is_what_a_file_is(run, microphone, make_wave):
    wave = make_wave("a.wav", 3.2)
    expected = run(wave)[1].replace(str(wave), "microphone")
    assert expected.strip()
    microphone(audio=read_audio(wave, 16000).numpy())
    before = signal.getsignal(signal.SIGINT)
    assert run("--microphone")[:2] == (0, expected)
    assert not InputStream.is_open
    assert signal.getsignal(signal.SIGINT) is before
    (found,) = json.loads(run("--microphone", "--format", "json")[1])
    assert (found["id"], found["duration"]) == ("microphone", 3.2)
    assert found["text"] == expected.strip().split("\t")[3]


def test_a_microphone_that_goes(run, microphone, make_wave):
    audio = read_audio(make_wave("a.wav", 3.2), 16000).numpy()
    microphone(audio=audio, goes=True)
    status, out, log = run("--microphone")
    assert status == 2
    assert "the microphone has gone" in log
    assert out.split("\t")[3].strip()


def test_audio_that_is_lost_is_told(run, microphone):
    microphone(audio=np.zeros(640, dtype=np.float32), status="input overflow")
    status, _, log = run("--microphone")
    assert status == 0
    assert "microphone: input overflow, audio is lost" in log


def test_no_microphone(run, microphone):
    microphone(error="Error querying device -1")
    status, _, log = run("--microphone")
    assert status == 2
    assert "error: no microphone gives 16000 Hz here (Error querying device -1)" in log


def test_no_sounddevice(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    status, _, log = run("--microphone")
    assert status == 2
    assert "--microphone needs sounddevice: pip install 'asrkit[microphone]'" in log
    (tmp_path / "sounddevice.py").write_text("raise OSError('no such library')")
    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.syspath_prepend(tmp_path)
    status, _, log = run("--microphone")
    assert status == 2
    assert "needs the library PortAudio (no such library)" in log


def test_a_microphone_goes_alone_and_has_one_channel(run):
    with pytest.raises(InputError, match="--microphone goes without files"):
        run("a.wav", "--microphone")
    with pytest.raises(InputError, match="--channel is for files"):
        run("--microphone", "--channel", 0)


@pytest.fixture
def ctrl_c():
    """Have Python's own handler, also where the tests were started to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_the_stream_and_a_second_one_the_command():
    packets = until_interrupted(iter([1, 2, 3]))
    assert next(packets) == 1
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert list(packets) == []
