"""Tokens and durations against all paths, finite differences and the plain loss."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from asrkit.transducer import (
    fused_loss,
    sample_wise_loss,
    transducer_loss,
    viterbi_align,
)
from asrkit.transducer.lattices.jumps import JumpArcs, occupy_jumps, scan_jumps
from asrkit.transducer.lattices.lattice import lattice
from asrkit.transducer.rules import Rules
from asrkit.transducer.tiled import tiles
from asrkit.utils.errors import InputError
from tests.numerics.lattices import join, projections, ragged, walk_jumps

DURATIONS = [(0, 1), (0, 1, 2), (1, 2), (3, 1, 0), (0, 1, 2, 3, 4)]
OPTIONS = [
    {},
    {"sigma": 0.3},
    {"delay_penalty": 0.1, "sigma": 0.05},
    {"hat": True},
    {"fastemit": 0.3},
]


def token_log_probs(logits, hat=False):
    """Return log-probabilities with blank first."""
    if not hat:
        return logits.log_softmax(-1)
    blank = torch.nn.functional.logsigmoid(logits[..., :1])
    rest = torch.nn.functional.logsigmoid(-logits[..., :1])
    return torch.cat([blank, logits[..., 1:].log_softmax(-1) + rest], -1)


def path_loss(logits, labels, durations, *, hat=False, fastemit=0.0, **options):
    """Return the loss of one utterance by its paths; +inf if there are none."""
    V = logits.shape[-1] - len(durations)
    log_probs = token_log_probs(logits[..., :V], hat)
    # Labels' values stay, their gradients grow.
    more = fastemit * (log_probs - log_probs.detach())[..., 1:]
    log_probs = torch.cat([log_probs[..., :1], log_probs[..., 1:] + more], -1)
    q = logits[..., V:].log_softmax(-1)
    paths = walk_jumps(log_probs, q, labels.tolist(), durations, **options)
    scores = [score for score, _ in paths]
    return -torch.stack(scores).logsumexp(0) if scores else torch.tensor(math.inf)


def gradients_of(inputs, loss_of):
    """Return loss and gradients of fresh copies of the inputs."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    loss = loss_of(*leaves)
    loss.backward()
    return [loss.detach(), *(x.grad for x in leaves)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("durations", DURATIONS, ids=str)
def test_loss_and_gradient_equal_those_of_all_paths(durations, options):
    logits, tokens, *lens = ragged(B=8, T=5, U=3, V=4 + len(durations))
    tokens = 1 + tokens % 3
    z = logits.clone().requires_grad_()
    losses = transducer_loss(
        z, tokens, *lens, durations=durations, reduction="none", impossible="inf",
        **options,
    )  # fmt: skip
    scale = torch.rand(8)
    torch.where(losses.isinf(), 0.0, losses).mul(scale).sum().backward()
    for b, loss in enumerate(losses):
        T, U = int(lens[0][b]), int(lens[1][b])
        own = logits[b, :T, : U + 1].clone().requires_grad_()
        expected = path_loss(own, tokens[b, :U], durations, **options)
        torch.testing.assert_close(loss, expected.to(loss.dtype))
        gradient = torch.zeros_like(logits[b])
        if expected.isfinite():
            (expected * scale[b]).backward()
            gradient[:T, : U + 1] = own.grad
        torch.testing.assert_close(z.grad[b], gradient)


def test_finite_differences_agree():
    logits, tokens, *lens = ragged(B=2, T=4, U=2, V=6)
    tokens = 1 + tokens % 2
    options = {"durations": (0, 1, 2), "sigma": 0.1, "reduction": "none"}
    torch.autograd.gradcheck(
        lambda z: transducer_loss(z, tokens, *lens, **options),
        logits.requires_grad_(),
    )


def test_all_transcripts_together_have_probability_one():
    # One frame an arc, and blank for sure in the last one: every way ends at T.
    T, V = 3, 3
    logits = torch.randn(1, T, T, V + 1, dtype=torch.float64)
    logits[:, -1, :, 1:V] = -math.inf
    total = 0.0
    for U in range(T):
        for labels in itertools.product(range(1, V), repeat=U):
            tokens = torch.tensor([labels], dtype=torch.int64).view(1, U)
            lens = torch.tensor([T]), torch.tensor([U])
            z = logits[:, :, : U + 1]
            loss = transducer_loss(z, tokens, *lens, durations=(1,))
            total += math.exp(-float(loss))
    assert total == pytest.approx(1.0, abs=1e-12)


def test_one_frame_an_arc_is_the_monotonic_lattice_that_ends_in_blank():
    logits, _, *lens = ragged(B=6, T=40, U=12, V=2)
    blank, label = logits.log_softmax(-1).unbind(-1)
    arcs = blank, label, torch.zeros_like(blank)
    total, *found = occupy_jumps(arcs, *lens, Rules(durations=(1,)))
    last = torch.arange(40)[:, None] == lens[0][:, None, None] - 1
    expected = lattice(
        blank, label[..., :-1].masked_fill(last, -math.inf), *lens, topology="monotonic"
    )
    torch.testing.assert_close(total, expected.log_likelihood)
    torch.testing.assert_close(found[0], expected.blank_occupation)
    torch.testing.assert_close(found[1][..., :-1], expected.label_occupation)
    torch.testing.assert_close(found[2], found[0] + found[1])


def test_labels_that_stay_and_blanks_of_one_frame_are_the_plain_lattice():
    # A cell's durations are those of any token, so that (0, 1) has one kind of arcs
    # more than the plain lattice: labels that move on. Without it both are the same,
    # with the durations' log-probabilities added to the tokens'.
    logits, _, *lens = ragged(B=6, T=40, U=12, V=2)
    blank, label = logits.log_softmax(-1).unbind(-1)
    stay, on = (
        torch.randn(*blank.shape, 2, dtype=blank.dtype).log_softmax(-1).unbind(-1)
    )
    expected = lattice(blank + on, (label + stay)[..., :-1], *lens).log_likelihood
    joined = JumpArcs.join((blank, label, stay, on), *lens, Rules(durations=(0, 1)))
    joined.move[1].fill_(-math.inf)
    paths = scan_jumps(joined.both_ways(), (0, 1), joined.layout.start)
    found = paths.total(torch.cat([lens[1], torch.full((6,), 12)]))
    torch.testing.assert_close(found[:6], expected)
    torch.testing.assert_close(found[6:], expected)  # of the reversed lattices


@pytest.mark.parametrize("topology", ["regular", "monotonic"])
@pytest.mark.parametrize("durations", [(0, 1), (3, 1, 0), (1, 2)], ids=str)
def test_the_best_path_is_the_best_of_all(durations, topology):
    logits, tokens, *lens = ragged(B=8, T=6, U=3, V=4 + len(durations))
    tokens = 1 + tokens % 3
    log_probs = logits[..., :4].log_softmax(-1)
    q = logits[..., 4:].log_softmax(-1)
    index = tokens[:, None, :, None].expand(-1, 6, -1, -1)
    label = log_probs[:, :, :-1].gather(3, index)[..., 0]
    by_duration = dict(zip(durations, q.unbind(-1), strict=True))
    found = viterbi_align(
        log_probs[..., 0], label, *lens, topology=topology,
        duration_log_probs=by_duration,
    )  # fmt: skip
    for b, (T, U) in enumerate(zip(*map(Tensor.tolist, lens), strict=True)):
        own = log_probs[b, :T, : U + 1], q[b, :T], tokens[b, :U].tolist(), durations
        paths = [
            (float(score), frames)
            for score, frames in walk_jumps(*own, stays=topology == "regular")
        ]
        score, frames = max(paths, default=(-math.inf, [-1] * U))
        assert float(found.score[b]) == pytest.approx(score, abs=1e-9)
        assert found.label_frames[b].tolist() == [*frames, *[-1] * (3 - U)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("budget", [(5, 0, 7), (5, 20, 1000), (1000, 0, 1000)])
def test_fused_equals_full(options, budget, monkeypatch):
    monkeypatch.setattr(
        "asrkit.transducer.fused.choose_budget", lambda *_: tiles.Budget(*budget)
    )
    inputs, batch = projections(B=6, T=7, V=10, possible=False)
    batch[0] = 1 + batch[0] % 6
    options = {**options, "durations": (0, 1, 3)}
    found = gradients_of(inputs, lambda *x: fused_loss(*x, *batch, **options))
    expected = gradients_of(
        inputs, lambda *x: transducer_loss(join(*x), *batch, **options)
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("max_cells", [1, 30, 10**6])
def test_sample_wise_equals_full(max_cells):
    inputs, batch = projections(V=10)
    batch[0] = 1 + batch[0] % 6
    options = {"durations": (0, 1, 3), "sigma": 0.1}
    found = gradients_of(
        inputs, lambda *x: sample_wise_loss(*x, *batch, max_cells=max_cells, **options)
    )
    expected = gradients_of(
        inputs, lambda *x: transducer_loss(join(*x), *batch, **options)
    )
    torch.testing.assert_close(found, expected)


def test_an_utterance_alone_has_the_same_loss_and_gradient():
    durations = (0, 1, 2, 5)
    logits, tokens, *lens = ragged(B=5, T=9, U=4, V=9)
    tokens = 1 + tokens % 4
    options = {"durations": durations, "sigma": 0.05, "reduction": "none"}
    z = logits.clone().requires_grad_()
    together = transducer_loss(z, tokens, *lens, **options)
    together.sum().backward()
    for b in range(5):
        T, U = int(lens[0][b]), int(lens[1][b])
        own = logits[b : b + 1, :T, : U + 1].clone().requires_grad_()
        ends = lens[0][b : b + 1], lens[1][b : b + 1]
        alone = transducer_loss(own, tokens[b : b + 1, :U], *ends, **options)
        alone.sum().backward()
        torch.testing.assert_close(together[b], alone[0])
        torch.testing.assert_close(z.grad[b, :T, : U + 1], own.grad[0])
        assert not z.grad[b, T:].any()
        assert not z.grad[b, :, U + 1 :].any()


@pytest.mark.parametrize("fused", [False, True])
def test_no_path_and_no_frames_have_loss_and_gradient_zero(fused):
    inputs, (tokens, *_) = projections(B=3, V=9)
    # Where every arc moves on by 1 or 2, 3 labels and a blank need 4 frames.
    lens = torch.tensor([4, 3, 0]), torch.tensor([3, 3, 1])
    leaves = [x.clone().requires_grad_() for x in inputs]
    batch = 1 + tokens % 6, *lens
    options = {"durations": (1, 2), "reduction": "none"}
    losses = (
        fused_loss(*leaves, *batch, **options)
        if fused
        else transducer_loss(join(*leaves), *batch, **options)
    )
    losses.sum().backward()
    assert losses[0] > 0
    assert losses[1:].tolist() == [0.0, 0.0]
    assert leaves[0].grad[0].any()
    assert not leaves[0].grad[1:].any()
    assert not leaves[1].grad[1:].any()


def test_long_lattices_keep_their_precision():
    inputs, batch = projections(B=3, T=300, U=40, V=25, J=16, dtype=torch.float32)
    batch[0] = 1 + batch[0] % 19
    options = {"durations": (0, 1, 2, 3, 4), "sigma": 0.05}
    found = gradients_of(inputs, lambda *x: fused_loss(*x, *batch, **options))
    exact = gradients_of(
        [x.double() for x in inputs],
        lambda *x: transducer_loss(join(*x), *batch, **options),
    )
    for a, b in zip(found, exact, strict=True):
        assert (a - b).norm() <= 2e-5 * b.norm()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"durations": (0, 2)}, "durations must be .* 1 among them"),
        ({"durations": (1, 1)}, "durations must be different"),
        ({"durations": (-1, 1)}, "durations must be .* from 0 on"),
        ({"durations": (0, 1), "topology": "monotonic"}, "durations need .* regular"),
        ({"sigma": 0.1}, "sigma=0.1 needs durations"),
        ({"durations": (0, 1, 2, 3)}, "tokens must be in 0..3"),
        (
            {"durations": (0, 1), "ranges": torch.zeros(5, 6, 2, dtype=torch.int64)},
            "ranges: a band",
        ),
    ],
    ids=lambda x: str(x)[:40],
)
def test_bad_arguments_are_named(options, message):
    inputs, batch = projections(V=8)
    batch[0] = torch.full_like(batch[0], 5)
    with pytest.raises(ValueError, match=message):
        fused_loss(*inputs, *batch, **options)


def test_peers_have_no_durations():
    logits, tokens, *lens = ragged()
    with pytest.raises(InputError, match="durations"):
        transducer_loss(
            logits, 1 + tokens % 3, *lens, durations=(0, 1), backend="torchaudio"
        )
