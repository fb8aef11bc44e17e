"""Forward-backward and Viterbi against a walk along every path."""

import numpy as np
import pytest
import torch

from asrkit.transducer.align import viterbi_align
from asrkit.transducer.lattices.lattice import lattice
from asrkit.transducer.rules import Topology
from tests.numerics.lattices import TOPOLOGIES, path_scores, ragged


def make_arcs(dtype=torch.float64, **shape):
    logits, tokens, enc_lens, token_lens = ragged(dtype=dtype, **shape)
    log_probs = logits.log_softmax(-1)
    index = tokens[:, None, :, None].expand(-1, logits.shape[1], -1, -1)
    label = log_probs[:, :, :-1].gather(3, index).squeeze(3)
    return log_probs[..., 0].clone(), label.clone(), enc_lens, token_lens


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_score_and_occupations_equal_those_of_all_paths(topology):
    blank, label, enc_lens, token_lens = make_arcs(B=12)
    found = lattice(blank, label, enc_lens, token_lens, topology=topology)
    for b in range(12):
        T, U = int(enc_lens[b]), int(token_lens[b])
        own = [x.clone().requires_grad_() for x in (blank[b, :T], label[b, :T])]
        scores = path_scores(own[0][:, : U + 1], own[1][:, :U], topology)
        total = scores.logsumexp(0)
        torch.testing.assert_close(found.log_likelihood[b], total)
        if total == -torch.inf:
            assert not found.blank_occupation[b].any()
            assert not found.label_occupation[b].any()
            continue
        if U == 0:
            expected = (torch.autograd.grad(total, own[0])[0], torch.zeros_like(own[1]))
        else:
            expected = torch.autograd.grad(total, own)
        blank_occupation = found.blank_occupation[b, :T].clone()
        if topology is Topology.CONSTRAINED:
            # What autograd gives blank holds the blanks inside of label arcs.
            blank_occupation[:, 1:] += found.label_occupation[b, :T]
        torch.testing.assert_close(blank_occupation, expected[0])
        torch.testing.assert_close(found.label_occupation[b, :T], expected[1])
        assert not found.blank_occupation[b, T:].any()
        assert not found.blank_occupation[b, :, U + 1 :].any()


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_gradient_equals_finite_differences(topology):
    blank, label, enc_lens, token_lens = make_arcs(B=4, T=4, U=3)
    assert torch.autograd.gradcheck(
        lambda b, c: lattice(
            b, c, enc_lens, token_lens, topology=topology
        ).log_likelihood.clamp(min=-1e3),
        (blank.requires_grad_(), label.requires_grad_()),
    )


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_float32_keeps_its_precision_over_long_paths(topology):
    torch.manual_seed(1)
    arcs = make_arcs(B=3, T=700, U=120, V=50, possible=True)
    arcs[0].sub_(3.0)  # as before training: every path is unlikely
    exact = lattice(*arcs, topology=topology)
    rounded = lattice(arcs[0].float(), arcs[1].float(), *arcs[2:], topology=topology)
    torch.testing.assert_close(
        rounded.log_likelihood.double(), exact.log_likelihood, rtol=1e-6, atol=0
    )
    torch.testing.assert_close(
        rounded.label_occupation.double(), exact.label_occupation, rtol=1e-3, atol=5e-4
    )


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_viterbi_finds_the_best_path(topology):
    blank, label, enc_lens, token_lens = make_arcs(B=12)
    found = viterbi_align(blank, label, enc_lens, token_lens, topology=topology)
    for b in range(12):
        T, U = int(enc_lens[b]), int(token_lens[b])
        arcs = blank[b, :T, : U + 1], label[b, :T, :U]
        best = path_scores(*arcs, topology).max()
        torch.testing.assert_close(found.score[b], best)
        frames = found.label_frames[b]
        assert (frames[U:] == -1).all()
        if best == -torch.inf:
            assert (frames == -1).all()
            continue
        # The frames it names make a path of that score.
        score = sum((arcs[1][t, u] for u, t in enumerate(frames[:U])), torch.zeros(()))
        rows = [int((frames[:U] <= t).sum()) for t in range(T)]
        for t, u in enumerate(rows):
            label_here = bool((frames[:U] == t).any())
            if topology is not Topology.MONOTONIC or not label_here:
                score = score + arcs[0][t, u]
        torch.testing.assert_close(score.double(), best)


def test_frame_labels_hold_each_label_at_its_frame():
    blank, label, enc_lens, token_lens = make_arcs(B=6, possible=True)
    tokens = torch.randint(1, 6, (6, 3))
    found = viterbi_align(blank, label, enc_lens, token_lens, topology="monotonic")
    frames = found.frame_labels(tokens, 5, 0)
    for b in range(6):
        U = int(token_lens[b])
        assert frames[b][frames[b] > 0].tolist() == tokens[b, :U].tolist()
        assert frames[b, found.label_frames[b, :U]].tolist() == tokens[b, :U].tolist()


def test_the_recursion_equals_k2(shared):
    golden = np.load(shared / "golden" / "k2" / "recursion.npz")
    cases = sorted({key.split("/")[0] for key in golden})
    for case in cases:
        px, py = (
            torch.from_numpy(golden[f"{case}/{k}"]).double() for k in ("px", "py")
        )
        B, S, T = len(px), px.shape[1], py.shape[2]
        boundary = torch.tensor([[0, 0, S, T]]).expand(B, -1)
        if f"{case}/boundary" in golden:
            boundary = torch.from_numpy(golden[f"{case}/boundary"]).long()
        if boundary[:, :2].any():
            continue  # lattices that begin elsewhere than at (0, 0)
        token_lens, enc_lens = boundary[:, 2], boundary[:, 3]
        topology = "monotonic"
        if px.shape[2] == T + 1:
            # k2's recursion lets labels follow the last blank: a frame with a free one.
            topology = "regular"
            free = torch.arange(T + 1) == enc_lens[:, None]
            py = torch.nn.functional.pad(py, (0, 1)).masked_fill(free[:, None], 0.0)
            enc_lens = enc_lens + 1
        found = lattice(
            py.transpose(1, 2),
            px.transpose(1, 2),
            enc_lens,
            token_lens,
            topology=topology,
        )
        expected = torch.from_numpy(golden[f"{case}/score"]).double()
        possible = expected > -1e30
        torch.testing.assert_close(
            found.log_likelihood[possible], expected[possible], rtol=1e-8, atol=1e-8
        )
        blanks = found.blank_occupation
        frames = torch.arange(blanks.shape[1])[:, None]
        blanks = blanks.masked_fill(frames >= boundary[:, 3, None, None], 0.0)
        for name, occupation in (
            ("px_grad", found.label_occupation),
            ("py_grad", blanks),
        ):
            grad = torch.from_numpy(golden[f"{case}/{name}"]).double()
            T = grad.shape[2]
            torch.testing.assert_close(
                occupation[possible, :T],
                grad.transpose(1, 2)[possible],
                rtol=1e-6,
                atol=1e-8,
            )
