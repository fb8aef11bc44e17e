"""Recordings of noise."""

import numpy as np
import pytest
import soundfile

from asrkit.data.corpora.noise import load_noise
from asrkit.utils.errors import InputError


def test_all_recordings_below_a_folder(tmp_path):
    for name in ("x/one.wav", "x/two.flac", "y/one.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.full(800, 0.1), 8000)
    (tmp_path / "LICENSE").write_text("free")
    cuts = load_noise(tmp_path)
    assert [cut.id for cut in cuts] == ["x/one", "x/two", "y/one"]
    assert {cut.duration for cut in cuts} == {0.1}
    assert cuts[0].load_audio().shape == (1, 800)


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_no_recording(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no noise in"):
        load_noise(tmp_path / name)


def test_unreadable_recording(tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(InputError, match=r"a\.wav cannot be decoded"):
        load_noise(tmp_path)
