"""The filterbank against torchaudio's Kaldi-compatible one."""

import pytest
import torch

from asrkit.data.features.fbank import FeaturesConfig, num_frames


def kaldi(audio, **changes):
    from torchaudio.compliance.kaldi import fbank

    options = {
        "num_mel_bins": 80, "dither": 0.0, "snip_edges": False, "high_freq": -400.0,
        "sample_frequency": 16000.0, **changes,
    }  # fmt: skip
    return fbank(audio[None], **options)


@pytest.mark.parametrize("samples", [400, 801, 16000, 23456])
def test_equals_kaldi(samples):
    audio = torch.randn(samples) * 0.1
    feats, lens = FeaturesConfig().build()(audio[None], torch.tensor([samples]))
    expected = kaldi(audio)
    assert lens.tolist() == [len(expected)]
    torch.testing.assert_close(feats[0], expected, rtol=1e-5, atol=1e-4)


def test_equals_kaldi_up_to_nyquist_and_with_fewer_bins():
    audio = torch.randn(8000) * 0.1
    fbank = FeaturesConfig(num_bins=40, low_freq=0.0, high_freq=0.0).build()
    feats, _ = fbank(audio[None], torch.tensor([8000]))
    expected = kaldi(audio, num_mel_bins=40, low_freq=0.0, high_freq=0.0)
    torch.testing.assert_close(feats[0], expected, rtol=1e-5, atol=1e-4)


def test_an_utterance_has_the_same_features_alone_and_in_a_batch():
    fbank = FeaturesConfig().build()
    lens = torch.tensor([16000, 9000, 650])
    audio = torch.randn(3, 16000) * (torch.arange(16000) < lens[:, None])
    # What lies in the padding must not matter either.
    noisy = audio + torch.randn(3, 16000) * (torch.arange(16000) >= lens[:, None])
    together, frames = fbank(noisy, lens)
    for b in range(3):
        alone, _ = fbank(audio[b : b + 1, : lens[b]], lens[b : b + 1])
        torch.testing.assert_close(together[b, : frames[b]], alone[0])
        assert not together[b, frames[b] :].any()


@pytest.mark.parametrize("samples", [400, 479, 480, 16000, 16079, 16080])
def test_frames_are_counted_as_kaldi_does(samples):
    counted = int(num_frames(torch.tensor(samples), 16000))
    assert counted == len(kaldi(torch.randn(samples)))
