"""Chunks: what frames see, and what training draws."""

import pytest
import torch

from asrkit.models.chunks import (
    Chunking,
    EncoderChunksConfig,
    attention_mask,
    chunk_mask,
    draw,
)
from asrkit.models.conformer import ConformerConfig, Positions
from asrkit.models.convolution import ConvolutionModule
from asrkit.pipeline.components import CLASSES
from asrkit.utils.errors import InputError
from asrkit.utils.lengths import make_pad_mask
from asrkit.utils.plain import from_plain, to_plain
from tests.unit.models.toy_conformer import BINS, build, close, whole


@pytest.mark.parametrize("left", [None, 0, 1, 3])
@pytest.mark.parametrize("size", [1, 3, 4, 20])
def test_the_mask_equals_its_definition(size, left):
    mask = chunk_mask(14, Chunking(size, left), torch.device("cpu"))
    for i in range(14):
        own = i // size
        first = 0 if left is None else max(0, (own - left) * size)
        seen = range(first, (own + 1) * size)
        assert mask[i].tolist() == [j in seen for j in range(14)]
    padded = attention_mask(
        make_pad_mask(torch.tensor([14, 5]), 14), Chunking(size, left)
    )
    assert torch.equal(padded[0, 0], mask)
    assert torch.equal(padded[1, 0, :5, :5], mask[:5, :5])
    assert not padded[1, 0, :5, 5:].any()
    assert padded[1, 0].any(1).all()  # a softmax over nothing is no number


@pytest.mark.parametrize("size", [1, 3, 7, 20])
def test_the_convolution_equals_its_definition(size):
    module = ConvolutionModule(6, 9)
    x, mask = torch.randn(2, 14, 6), torch.ones(2, 1, 14, 1, dtype=torch.bool)
    given = module(x, mask, size)
    for t in range(14):
        # The frame alone: all that it may see, and no chunks.
        end = min(14, (t // size + 1) * size)
        alone = module(x[:, :end], mask[:, :, :end])
        torch.testing.assert_close(given[:, t], alone[:, t], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("positions", list(Positions))
def test_a_feature_reaches_the_frames_that_it_may_and_no_others(positions):
    # In one block, what a feature reaches is known exactly.
    encoder = build(positions, num_layers=1, kernel_size=5).double().eval()
    size, left, length = 4, 1, 128
    feats = torch.randn(length, BINS, dtype=torch.float64)
    plain = whole(encoder, feats, size, left)
    for at in (0, 12, 13, 15, 16, 40, 127):
        other = feats.clone()
        other[at] += 10
        changed = (whole(encoder, other, size, left) - plain).abs().amax(1) > 1e-10
        own = at // (4 * size)  # its chunk: all frames of it, none before
        # Subsampling's frame t sees features to 4 t - 3, attention the chunk before,
        # the convolution two frames.
        last = (at + 3) // 4 // size + left
        reached = range(own * size, (last + 1) * size + 2)
        assert changed.tolist() == [t in reached for t in range(32)]


def test_a_chunk_that_holds_everything_is_the_whole_utterance():
    encoder = build(Positions.RELATIVE).eval()
    feats, lens = torch.randn(2, 61, BINS), torch.tensor([61, 30])
    with torch.no_grad():
        expected, enc_lens = encoder(feats, lens)
        given, _ = encoder.encode_chunks(feats, lens, Chunking(16))
        shorter, _ = encoder.encode_chunks(feats, lens, Chunking(8))
    for b in range(2):
        close(given[b, : enc_lens[b]], expected[b, : enc_lens[b]])
    assert not torch.allclose(shorter[0], expected[0], atol=1e-2)


@pytest.mark.parametrize("positions", list(Positions))
def test_padding_does_not_leak_into_chunks(positions):
    encoder = build(positions)
    lens = torch.tensor([130, 44, 1])
    feats = torch.randn(3, 130, BINS, requires_grad=True)
    out, enc_lens = encoder.encode_chunks(feats, lens, Chunking(4, 1))
    for b, length in enumerate(lens.tolist()):
        alone = whole(encoder, feats[b, :length].detach(), 4, 1)
        close(out[b, : enc_lens[b]], alone)
    (out[1, : enc_lens[1]] * torch.randn(16)).sum().backward()
    assert feats.grad[1, :44].any()
    assert not feats.grad[1, 44:].any()
    # Whole chunks of padding see no speech: their gradients must be numbers, too.
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


def train(encoder, feats, lens, seed):
    """Return what three batches give in training, and gradients."""
    torch.manual_seed(seed)
    encoder.zero_grad(set_to_none=True)
    outs = [encoder(feats, lens)[0] for _ in range(3)]
    sum(out.square().sum() for out in outs).backward()
    return [out.detach() for out in outs] + [p.grad for p in encoder.parameters()]


def test_training_draws_for_each_batch_from_torchs_generator():
    chunks = EncoderChunksConfig(sizes=[2, 5, None], left=[1, None])
    encoder = build(dropout=0.1, chunks=chunks)
    feats, lens = torch.randn(2, 61, BINS), torch.tensor([61, 40])
    one, again = (train(encoder, feats, lens, seed=3) for _ in range(2))
    encoder.checkpoint_activations = True
    recomputed = train(encoder, feats, lens, seed=3)
    for other in (again, recomputed):
        for mine, theirs in zip(one, other, strict=True):
            assert torch.equal(mine, theirs)
    drawn = [draw(encoder.chunkings) for _ in range(600)]
    expected = {
        Chunking(2, 1): 100, Chunking(2): 100, Chunking(5, 1): 100, Chunking(5): 100,
        None: 200,
    }  # fmt: skip
    assert set(drawn) == set(expected)
    for chunking, count in expected.items():
        assert abs(drawn.count(chunking) - count) < 50


def test_what_training_draws_is_what_frames_see():
    encoder = build(chunks=EncoderChunksConfig(sizes=[3], left=[1]))
    feats, lens = torch.randn(2, 61, BINS), torch.tensor([61, 40])
    expected, _ = encoder.encode_chunks(feats, lens, Chunking(3, 1))
    assert torch.equal(encoder(feats, lens)[0], expected)
    assert torch.equal(encoder.layers(feats, lens)[0][-1], expected)
    whole_context, _ = encoder.encode_chunks(feats, lens, None)
    assert torch.equal(encoder.eval()(feats, lens)[0], whole_context)


def test_without_chunks_nothing_is_drawn_and_weights_are_the_same():
    torch.manual_seed(5)
    plain = build(dropout=0.1)
    torch.manual_seed(5)
    chunked = build(dropout=0.1, chunks=EncoderChunksConfig(sizes=[4]))
    chunked.load_state_dict(plain.state_dict())
    feats, lens = torch.randn(2, 61, BINS), torch.tensor([61, 40])
    assert torch.equal(plain.eval()(feats, lens)[0], chunked.eval()(feats, lens)[0])
    state = torch.get_rng_state()
    assert draw(EncoderChunksConfig().pool()) is None
    assert torch.equal(torch.get_rng_state(), state)


def test_settings_are_checked_and_kept():
    with pytest.raises(ValueError, match=r"encoder\.chunks\.sizes must be at least 1"):
        EncoderChunksConfig(sizes=[None, 0])
    with pytest.raises(ValueError, match=r"encoder\.chunks\.left must be at least 0"):
        EncoderChunksConfig(left=[-1])
    with pytest.raises(ValueError, match=r"encoder\.chunks\.left is empty"):
        EncoderChunksConfig(left=[])
    config = ConformerConfig(chunks=EncoderChunksConfig(sizes=[8, None], left=[2]))
    plain = to_plain(config)
    assert from_plain(plain, CLASSES) == config
    del plain["chunks"]  # as runs from before have it
    assert from_plain(plain, CLASSES) == ConformerConfig()
    with pytest.raises(InputError, match=r"sizes\[0\]=many: a whole number"):
        from_plain({"class": "EncoderChunksConfig", "sizes": ["many"]}, CLASSES)
