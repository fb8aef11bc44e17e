"""Resampling."""

import numpy as np

from asrkit.data.synthesis.speech import resample


def test_resampling():
    def sine(rate, seconds=1.3):
        return 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)

    new = resample(sine(22050), 22050, 16000)
    assert len(new) == 20800
    np.testing.assert_allclose(new[500:-500], sine(16000)[500:-500], atol=1e-3)
