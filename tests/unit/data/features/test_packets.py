"""Features of audio in packets: those of the whole."""

import pytest
import torch

from asrkit.data.features.fbank import FeaturesConfig, num_frames
from asrkit.data.features.packets import FbankPackets

RATES = pytest.mark.parametrize("rate", [8000, 16000, 22050])


def in_packets(stream, audio, sizes):
    """Push audio (S,) in packets of these sizes, then what is left."""
    feats, at = [], 0
    for size in sizes:
        feats.append(stream.push(audio[at : at + size]))
        at += size
    feats.append(stream.push(audio[at:], ended=True))
    return torch.cat(feats)


def whole(fbank, audio):
    if not num_frames(len(audio), fbank.sampling_rate):
        return torch.zeros(0, 80)
    return fbank(audio[None], torch.tensor([len(audio)]))[0][0]


def assert_same(found, expected):
    # A product of matrices may round a row otherwise where there are fewer rows.
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


@RATES
@pytest.mark.parametrize("size", [1, 79, 80, 160, 161, 399, 640, 4000, 99999])
def test_packets_of_a_size(rate, size):
    fbank = FeaturesConfig(sampling_rate=rate).build()
    audio = torch.randn(2345) * 0.1
    found = in_packets(FbankPackets(fbank), audio, [size] * (len(audio) // size))
    assert_same(found, whole(fbank, audio))


@RATES
def test_streams_of_any_length_one_after_another(rate):
    fbank = FeaturesConfig(sampling_rate=rate).build()
    stream = FbankPackets(fbank)
    for length in [1, 79, 80, 81, 119, 120, 199, 200, 239, 240, 280, 399, 400, 2345]:
        audio = torch.randn(length) * 0.1
        sizes = torch.randint(0, 300, (20,)).tolist()
        assert_same(in_packets(stream, audio, sizes), whole(fbank, audio))


def test_a_frame_comes_as_soon_as_its_samples_are_there():
    stream = FbankPackets(FeaturesConfig(sampling_rate=16000).build())
    counts = [len(stream.push(torch.randn(size))) for size in (279, 1, 159, 1, 320, 0)]
    assert counts == [0, 1, 0, 1, 2, 0]


def test_little_is_kept_of_a_long_stream():
    stream = FbankPackets(FeaturesConfig(sampling_rate=16000).build())
    for _ in range(50):
        stream.push(torch.randn(1000))
        assert len(stream.audio) < 400
