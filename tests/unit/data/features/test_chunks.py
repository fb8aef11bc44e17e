"""Pieces cover their utterances, with labels and contexts of the whole."""

import functools

import pytest
import torch

from asrkit.data.features.chunks import ChunkConfig, Chunker
from asrkit.models.predictor import PredictorConfig
from asrkit.models.subsampling import ConvSubsampling
from asrkit.models.subsampling import subsampled_lens as lens_by
from asrkit.transducer.frame_wise import frame_contexts

V = 7
FACTOR = 4
subsampled_lens = functools.partial(lens_by, factor=FACTOR)
BY_FOUR = {"subsampling": FACTOR, "output_lens": subsampled_lens}
LENS = [1, 16, 17, 40, 63, 64, 65, 100]


def draw(lens, share=0.5):
    """Draw a batch; a frame's first feature is its number, counted from 1."""
    feat_lens = torch.tensor(lens)
    T_in = max(lens)
    padding = torch.arange(T_in) >= feat_lens[:, None]
    feats = torch.randn(len(lens), T_in, 3)
    feats[..., 0] = torch.arange(1.0, T_in + 1)
    T = subsampled_lens(T_in)
    alignment = torch.randint(1, V, (len(lens), T)) * (torch.rand(len(lens), T) < share)
    alignment[torch.arange(T) >= subsampled_lens(feat_lens)[:, None]] = 0
    return feats.masked_fill(padding[..., None], 7.0), feat_lens, alignment


def expected_starts(length, size, step):
    """Return where pieces start: while there are frames that none before covers."""
    starts = [0]
    while starts[-1] + size < length:
        starts.append(starts[-1] + step)
    return starts


def pieces(lens, size, step):
    """Return (utterance, start) of every piece."""
    return [
        (b, start)
        for b, n in enumerate(lens)
        for start in expected_starts(n, size, step)
    ]


@pytest.mark.parametrize(("size", "step"), [(16, 8), (16, 16), (32, 4), (256, 128)])
def test_pieces_are_cut_where_expected_and_padded_with_zero(size, step):
    feats, feat_lens, alignment = draw(LENS)
    chunks = Chunker(size, step, context_size=2, **BY_FOUR)(feats, feat_lens, alignment)
    places = pieces(LENS, size, step)
    width = min(size, max(LENS))
    assert chunks.feats.shape == (len(places), width, 3)
    assert chunks.alignment.shape == (len(places), subsampled_lens(width))
    for n, (b, start) in enumerate(places):
        end = min(start + size, LENS[b])
        assert chunks.feat_lens[n] == end - start
        assert torch.equal(chunks.feats[n, : end - start], feats[b, start:end])
        assert not chunks.feats[n, end - start :].any()
        frames = subsampled_lens(end - start)
        first = start // FACTOR
        own = alignment[b, first : first + frames]
        assert torch.equal(chunks.alignment[n, :frames], own)
        assert not chunks.alignment[n, frames:].any()


@pytest.mark.parametrize(("size", "step"), [(16, 8), (16, 16), (32, 4), (256, 128)])
def test_every_frame_is_in_a_piece_and_no_piece_is_needless(size, step):
    feats, feat_lens, alignment = draw(LENS)
    chunks = Chunker(size, step, context_size=1, **BY_FOUR)(feats, feat_lens, alignment)
    numbers = [
        set(own[:length, 0].int().tolist())
        for own, length in zip(chunks.feats, chunks.feat_lens, strict=True)
    ]
    utterance = [b for b, _ in pieces(LENS, size, step)]
    for b, length in enumerate(LENS):
        own = [n for n, u in zip(numbers, utterance, strict=True) if u == b]
        assert set.union(*own) == set(range(1, length + 1))
        assert len(own) == 1 or set.union(*own[:-1]) != set(range(1, length + 1))


@pytest.mark.parametrize("context_size", [1, 2])
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_context_of_every_frame_is_that_of_the_whole_utterance(context_size, share):
    feats, feat_lens, alignment = draw(LENS, share)
    predictor = PredictorConfig(dim=8, context_size=context_size, dropout=0.0).build(V)

    def contexts(labels, carried):
        rows, row = frame_contexts(labels, carried, context_size)
        return predictor.contexts(rows)[torch.arange(len(row))[:, None], row]

    chunker = ChunkConfig(size=16, step=8).build(context_size, *BY_FOUR.values())
    chunks = chunker(feats, feat_lens, alignment)
    assert chunks.carried.shape == (len(chunks.feats), context_size)
    whole = contexts(alignment, None)
    found = contexts(chunks.alignment, chunks.carried)
    for n, (b, start) in enumerate(pieces(LENS, 16, 8)):
        frames = int(subsampled_lens(chunks.feat_lens[n]))
        first = start // FACTOR
        torch.testing.assert_close(found[n, :frames], whole[b, first : first + frames])


def test_lengths_are_those_of_the_subsampling():
    feats, feat_lens, alignment = draw(LENS)
    chunks = Chunker(16, 8, context_size=1, **BY_FOUR)(feats, feat_lens, alignment)
    subsampling = ConvSubsampling(3, 2, 4, FACTOR)
    out, enc_lens = subsampling(chunks.feats, chunks.feat_lens)
    assert out.shape[1] == chunks.alignment.shape[1]
    beyond = torch.arange(out.shape[1]) >= enc_lens[:, None]
    assert not chunks.alignment[beyond].any()


def test_an_utterance_is_cut_alone_as_in_a_batch():
    feats, feat_lens, alignment = draw(LENS)
    chunker = Chunker(16, 8, context_size=2, **BY_FOUR)
    together = chunker(feats, feat_lens, alignment)
    n = 0
    for b, length in enumerate(LENS):
        T = subsampled_lens(length)
        alone = chunker(
            feats[b : b + 1, :length], feat_lens[b : b + 1], alignment[b : b + 1, :T]
        )
        rows = slice(n, n + len(alone.feats))
        width, frames = alone.feats.shape[1], alone.alignment.shape[1]
        assert torch.equal(together.feats[rows, :width], alone.feats)
        assert torch.equal(together.feat_lens[rows], alone.feat_lens)
        assert torch.equal(together.alignment[rows, :frames], alone.alignment)
        assert torch.equal(together.carried[rows], alone.carried)
        n += len(alone.feats)
    assert n == len(together.feats)


@pytest.mark.parametrize(
    ("size", "step", "message"),
    [
        (30, 8, r"chunks.size must be a multiple of .* got 30; take 32"),
        (32, 6, r"chunks.step must be a multiple of .* got 6; take 8"),
        (32, 0, "chunks.step must be at least 1, got 0"),
        (16, 20, "chunks.step 20 leaves gaps"),
    ],
)
def test_pieces_that_do_not_fit_are_refused(size, step, message):
    with pytest.raises(ValueError, match=message):
        ChunkConfig(size=size, step=step).build(1, *BY_FOUR.values())
