"""The frame-wise loss against a sum along the path through the whole lattice."""

import math

import pytest
import torch
import torch.nn.functional as F

from asrkit.models.predictor import PredictorConfig
from asrkit.transducer.align import viterbi_align
from asrkit.transducer.frame_wise import (
    compact_labels,
    focal_loss,
    frame_contexts,
    frame_wise_loss,
)
from tests.numerics.lattices import ragged

B, T, U, V = 6, 7, 4, 5


def draw():
    """Draw lattices, and in each the best monotonic path as an alignment."""
    logits, tokens, enc_lens, token_lens = ragged(B, T, U, V, possible=True)
    log_probs = logits.log_softmax(-1)
    index = tokens[:, None, :, None].expand(-1, T, -1, -1)
    label = log_probs[:, :, :U].gather(3, index).squeeze(3)
    found = viterbi_align(
        log_probs[..., 0], label, enc_lens, token_lens, topology="monotonic"
    )
    return logits, found.frame_labels(tokens, T, 0), (tokens, enc_lens, token_lens)


def of_logits(logits, *batch, **options):
    """Return the frame-wise loss of a softmax."""
    return frame_wise_loss(logits.log_softmax(-1), *batch, **options)


def on_path(logits, alignment):
    """Pick the cells of the path, (B, T, V)."""
    _, rows = frame_contexts(alignment, None, 1)
    return logits[torch.arange(B)[:, None], torch.arange(T), rows]


def walk(logits, alignment, frames, frame_loss):
    """Sum frame_loss(probabilities, label) along one path, a step at a time."""
    total, u = 0.0, 0
    for t in range(frames):
        y = int(alignment[t])
        scores = [math.exp(x) for x in logits[t, u].tolist()]
        total += frame_loss([x / sum(scores) for x in scores], y)
        u += y != 0
    return total


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("boost", [0.0, 5.0])
def test_loss_is_the_sum_along_the_path(smoothing, boost):
    logits, alignment, (_, enc_lens, token_lens) = draw()
    assert (token_lens > 0).any()
    assert (enc_lens < T).any()

    def frame_loss(p, y):
        spread = sum(math.log(x) for x in p) / len(p)
        loss = -(1 - smoothing) * math.log(p[y]) - smoothing * spread
        return loss - boost * math.log(p[y]) * (y != 0)

    found = of_logits(
        on_path(logits, alignment), alignment, enc_lens,
        label_smoothing=smoothing, label_boost=boost,
    )  # fmt: skip
    expected = [
        walk(logits[b], alignment[b], int(enc_lens[b]), frame_loss) for b in range(B)
    ]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_is_the_sum_along_the_path(factor):
    logits, alignment, (_, enc_lens, _) = draw()
    found = focal_loss(on_path(logits, alignment), alignment, enc_lens, factor=factor)
    expected = [
        walk(
            logits[b], alignment[b], int(enc_lens[b]),
            lambda p, y: -((1 - p[y]) ** factor) * math.log(p[y]),
        )
        for b in range(B)
    ]  # fmt: skip
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_smoothing_and_its_gradient_are_those_of_torch():
    logits, alignment, (_, enc_lens, _) = draw()
    ours, theirs = (on_path(logits, alignment).requires_grad_() for _ in range(2))
    loss = of_logits(ours, alignment, enc_lens, label_boost=0.0)
    loss.sum().backward()
    valid = torch.arange(T) < enc_lens[:, None]
    F.cross_entropy(
        theirs[valid], alignment[valid], label_smoothing=0.2, reduction="sum"
    ).backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_on_the_best_path_the_plain_loss_is_its_score():
    logits, alignment, (tokens, enc_lens, token_lens) = draw()
    log_probs = logits.log_softmax(-1)
    index = tokens[:, None, :, None].expand(-1, T, -1, -1)
    label = log_probs[:, :, :U].gather(3, index).squeeze(3)
    score = viterbi_align(
        log_probs[..., 0], label, enc_lens, token_lens, topology="monotonic"
    ).score
    plain = of_logits(
        on_path(logits, alignment), alignment, enc_lens,
        label_smoothing=0.0, label_boost=0.0,
    )  # fmt: skip
    torch.testing.assert_close(plain, -score)


@pytest.mark.parametrize("loss", [of_logits, focal_loss])
def test_padding_changes_nothing_and_gets_no_gradient(loss):
    logits, alignment, (_, enc_lens, _) = draw()
    path = on_path(logits, alignment).requires_grad_()
    together = loss(path, alignment, enc_lens)
    together.sum().backward()
    for b, frames in enumerate(enc_lens.tolist()):
        assert not path.grad[b, frames:].any()
        alone = loss(
            path[b : b + 1, :frames], alignment[b : b + 1, :frames], enc_lens[b : b + 1]
        )
        torch.testing.assert_close(together[b], alone[0])


@pytest.mark.parametrize("loss", [of_logits, focal_loss])
def test_gradient_equals_finite_differences(loss):
    logits, alignment, (_, enc_lens, _) = draw()
    path = on_path(logits, alignment).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, alignment, enc_lens), path)


def test_a_root_of_what_is_missing_has_a_gradient_where_nothing_is():
    logits = torch.tensor([[[200.0, 0.0], [1.0, 0.0]]], requires_grad=True)
    alignment, enc_lens = torch.zeros(1, 2, dtype=torch.int64), torch.tensor([2])
    focal_loss(logits, alignment, enc_lens, factor=0.5).sum().backward()
    assert logits.grad.isfinite().all()
    assert logits.grad[0, 1].any()


def test_bfloat16_logits_are_summed_in_float32():
    logits, alignment, (_, enc_lens, _) = draw()
    low = on_path(logits, alignment).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = focal_loss(low, alignment, enc_lens)
    assert found.dtype == torch.float32
    exact = focal_loss(low.double(), alignment, enc_lens)
    torch.testing.assert_close(found, exact.float())


def test_labels_are_collected_in_order():
    alignment = torch.tensor([[0, 3, 3, 0, 1], [0, 0, 0, 0, 0], [2, 0, 4, 0, 0]])
    tokens, token_lens = compact_labels(alignment)
    assert tokens.tolist() == [[3, 3, 1], [0, 0, 0], [2, 4, 0]]
    assert token_lens.tolist() == [3, 0, 2]
    tokens, token_lens = compact_labels(torch.zeros(2, 3, dtype=torch.int64))
    assert tokens.shape == (2, 0)
    assert token_lens.tolist() == [0, 0]


@pytest.mark.parametrize("context_size", [1, 2])
@pytest.mark.parametrize("carries", [False, True])
def test_a_frame_sees_the_labels_before_it_and_not_its_own(context_size, carries):
    predictor = PredictorConfig(dim=6, context_size=context_size, dropout=0.0).build(V)
    alignment = torch.randint(0, V, (B, T)) * (torch.rand(B, T) < 0.6)
    alignment[-1] = 0
    carried = torch.randint(0, V, (B, context_size)) if carries else None
    labels, rows = frame_contexts(alignment, carried, context_size)
    U = int((alignment != 0).sum(1).max())
    contexts = predictor.contexts(labels)
    assert contexts.shape == (B, U + 1, 6)
    for b in range(B):
        seen = [0] * context_size if carried is None else carried[b].tolist()
        for t in range(T):
            context = torch.tensor(seen[-context_size:])
            found = contexts[b, rows[b, t]]
            torch.testing.assert_close(found, predictor.after(context))
            seen += [int(y) for y in alignment[b, t : t + 1] if y != 0]
