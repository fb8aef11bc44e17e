"""The loss over the paths near an alignment, against a sum over these paths."""

import pytest
import torch

from asrkit.transducer import (
    Topology,
    aligned_band,
    frame_wise_loss,
    fused_loss,
    pruned_loss,
    sample_wise_loss,
    transducer_loss,
)
from tests.numerics.lattices import TOPOLOGIES, join, path_scores, paths, projections

T, U = 6, 3
OPTIONS = [{}, {"delay_penalty": 0.2}, {"hat": True}]


def draw_alignments(enc_lens, token_lens, topology):
    """Take a path of each utterance at random: the frame of each label, (B, U)."""
    frames = torch.full((len(enc_lens), U), -1)
    for row, T_, U_ in zip(frames, enc_lens.tolist(), token_lens.tolist(), strict=True):
        every = list(paths(T_, U_, topology))
        path = every[int(torch.randint(len(every), ()))]
        row[:U_] = torch.tensor([t for t, _, is_label in path if is_label])
    return frames


def near(path, frames, radius):
    """Say whether a path emits each label near its frame."""
    times = [t for t, _, is_label in path if is_label]
    return all(abs(t - f) <= radius for t, f in zip(times, frames, strict=True))


def by_paths(logits, batch, frames, radius, topology, *, hat=False, delay_penalty=0.0):
    """Sum over the paths near the alignment, (B,)."""
    tokens, enc_lens, token_lens = batch
    blank, label = log_probs(logits, tokens, hat)
    losses = []
    for b, (T_, U_) in enumerate(zip(enc_lens, token_lens, strict=True)):
        arcs = blank[b, :T_, : U_ + 1], label[b, :T_, :U_]
        scores = path_scores(*arcs, topology, delay_penalty=delay_penalty)
        all_paths = list(paths(int(T_), int(U_), topology))
        kept = [near(p, frames[b, :U_].tolist(), radius) for p in all_paths]
        losses.append(-scores[torch.tensor(kept)].logsumexp(0))
    return torch.stack(losses)


def log_probs(logits, tokens, hat):
    """Return log-probabilities of blank (B, T, U + 1) and of the labels (B, T, U)."""
    if hat:
        blank = torch.nn.functional.logsigmoid(logits[..., 0])
        stay = torch.nn.functional.logsigmoid(-logits[..., :1])
        scores = torch.cat(
            [blank[..., None], stay + logits[..., 1:].log_softmax(-1)], -1
        )
    else:
        scores = logits.log_softmax(-1)
    index = tokens[:, None, :, None].expand(-1, logits.shape[1], -1, 1)
    return scores[..., 0], scores[:, :, :-1].gather(3, index)[..., 0]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("radius", [0, 1, 2, T])
@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("loss", [fused_loss, sample_wise_loss])
def test_loss_sums_the_paths_near_the_alignment(loss, topology, radius, options):
    inputs, batch = projections(T=T, U=U)
    frames = draw_alignments(*batch[1:], topology)
    band = aligned_band(
        frames, *batch[1:], radius=radius, num_frames=T, topology=topology
    )
    options = {**options, "topology": topology}
    inputs = [x.requires_grad_() for x in inputs]
    found = loss(
        *inputs, *batch, ranges=band.ranges, allowed=band.allowed, reduction="none",
        **options,
    )  # fmt: skip
    expected = by_paths(join(*inputs), batch, frames, radius, **options)
    torch.testing.assert_close(found, expected)
    weights = torch.rand(len(found), dtype=found.dtype)
    for one, other in zip(
        torch.autograd.grad(weights @ found, inputs),
        torch.autograd.grad(weights @ expected, inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other)
    if radius == T:
        whole = transducer_loss(join(*inputs), *batch, reduction="none", **options)
        torch.testing.assert_close(found, whole)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_pruned_loss_does_so_too(topology):
    inputs, batch = projections(T=T, U=U)
    frames = draw_alignments(*batch[1:], topology)
    band = aligned_band(frames, *batch[1:], radius=1, num_frames=T, topology=topology)
    logits = join(*inputs)
    index = band.ranges[..., None].expand(-1, -1, -1, logits.shape[3])
    found = pruned_loss(
        logits.gather(2, index), batch[0], band.ranges, *batch[1:],
        allowed=band.allowed, topology=topology, reduction="none",
    )  # fmt: skip
    expected = by_paths(logits, batch, frames, 1, topology)
    torch.testing.assert_close(found, expected)


def test_the_alignment_alone_is_the_frame_wise_criterion():
    inputs, batch = projections(T=T, U=U)
    tokens, enc_lens, token_lens = batch
    frames = draw_alignments(enc_lens, token_lens, Topology.MONOTONIC)
    band = aligned_band(
        frames, enc_lens, token_lens, radius=0, num_frames=T, topology="monotonic"
    )
    found = fused_loss(
        *inputs, *batch, ranges=band.ranges, allowed=band.allowed,
        topology="monotonic", reduction="none",
    )  # fmt: skip
    alignment = torch.zeros(len(tokens), T + 1, dtype=torch.int64)
    alignment.scatter_(1, frames.where(frames >= 0, T), tokens)
    counts = (alignment[:, :T] != 0).cumsum(1) - (alignment[:, :T] != 0).long()
    logits = join(*inputs)
    index = counts[..., None, None].expand(-1, -1, 1, logits.shape[3])
    log_probs = logits.gather(2, index).squeeze(2).log_softmax(-1)
    expected = frame_wise_loss(
        log_probs, alignment[:, :T], enc_lens, label_smoothing=0.0, label_boost=0.0
    )
    torch.testing.assert_close(found, expected.view(len(tokens), -1).sum(1))


def test_a_narrow_band_has_few_rows():
    frames = torch.arange(50)[None] * 2
    lens = torch.tensor([100]), torch.tensor([50])
    for radius, rows in ((0, 2), (2, 4), (4, 6)):
        band = aligned_band(frames, *lens, radius=radius, num_frames=100)
        assert band.ranges.shape == (1, 100, rows)


def test_labels_due_at_once_wait_for_their_turn():
    # Two labels in frame 2: with one a frame a path exists a frame away only.
    inputs, batch = projections(B=1, T=T, U=2)
    batch = [batch[0], torch.tensor([T]), torch.tensor([2])]
    frames = torch.tensor([[2, 2]])
    for radius in (0, 1):
        band = aligned_band(
            frames, *batch[1:], radius=radius, num_frames=T, topology="monotonic"
        )
        found = fused_loss(
            *inputs, *batch, ranges=band.ranges, allowed=band.allowed,
            topology="monotonic", reduction="none", impossible="inf",
        )  # fmt: skip
        expected = by_paths(join(*inputs), batch, frames, radius, Topology.MONOTONIC)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("frames", [[[0, 7]], [[-1, 2]], [[3, 2]]])
def test_what_is_no_alignment_is_refused(frames):
    lens = torch.tensor([6]), torch.tensor([2])
    with pytest.raises(ValueError, match="not in order"):
        aligned_band(torch.tensor(frames), *lens, radius=1, num_frames=6)
