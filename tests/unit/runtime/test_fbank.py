"""Features in NumPy are those that models are trained on."""

import numpy as np
import pytest
import torch

from asrkit.data.features.fbank import FeaturesConfig
from asrkit.runtime.fbank import Fbank, FbankPackets
from tests.unit.cli.conftest import make_noise

KINDS = [(16000, 80), (8000, 40)]


@pytest.mark.parametrize(("rate", "bins"), KINDS)
@pytest.mark.parametrize("seconds", [0.0125, 0.03, 0.1, 1.0, 3.217])
def test_equal_to_torch(rate, bins, seconds):
    samples = make_noise(seconds, rate).astype(np.float32)
    fbank = FeaturesConfig(sampling_rate=rate, num_bins=bins).build()
    wanted, _ = fbank(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    found = Fbank(rate, bins)(samples)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted[0].numpy(), atol=1e-3)


def test_silence_is_finite():
    found = Fbank(16000, 80)(np.zeros(1600, np.float32))
    np.testing.assert_allclose(found, np.log(2.0**-23), rtol=1e-6)


@pytest.mark.parametrize(("rate", "bins"), KINDS)
def test_equal_to_kaldi(rate, bins):
    knf = pytest.importorskip("kaldi_native_fbank")
    options = knf.FbankOptions()
    options.frame_opts.samp_freq = rate
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = bins
    options.mel_opts.high_freq = -400
    samples = make_noise(1.234, rate).astype(np.float32)
    theirs = knf.OnlineFbank(options)
    theirs.accept_waveform(rate, samples.tolist())
    theirs.input_finished()
    rows = [theirs.get_frame(n) for n in range(theirs.num_frames_ready)]
    np.testing.assert_allclose(Fbank(rate, bins)(samples), np.stack(rows), atol=1e-3)


@pytest.mark.parametrize("size", [1, 77, 160, 400, 5000])
def test_packets_of_any_size_give_the_features_of_the_whole(size):
    samples = make_noise(0.5, 16000).astype(np.float32)
    fbank = Fbank(16000, 80)
    packets = FbankPackets(fbank)
    starts = range(0, len(samples), size)
    found = [packets.push(samples[start : start + size]) for start in starts]
    # All but those that reach beyond the last sample: the recording goes on for them.
    count = (len(samples) + fbank.left - fbank.length) // fbank.shift + 1
    np.testing.assert_allclose(np.concatenate(found), fbank(samples)[:count], atol=1e-4)
