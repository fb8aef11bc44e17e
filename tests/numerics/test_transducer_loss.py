"""The exact loss against brute force, finite differences, torchaudio and k2."""

import itertools
import json
import math

import numpy as np
import pytest
import torch

from asrkit.transducer.full import transducer_loss
from asrkit.transducer.lattice import lattice


def brute_force(log_probs, labels):
    """Sum over all alignments of one utterance; log_probs (T, U + 1, V)."""
    T, U = log_probs.shape[0], len(labels)
    total = []
    # Which of the T - 1 + U moves before the last blank are labels.
    for chosen in itertools.combinations(range(T - 1 + U), U):
        t = u = 0
        path = 0.0
        for move in range(T - 1 + U):
            if move in chosen:
                path += log_probs[t, u, labels[u]].item()
                u += 1
            else:
                path += log_probs[t, u, 0].item()
                t += 1
        total.append(path + log_probs[t, u, 0].item())
    return -torch.logsumexp(torch.tensor(total, dtype=torch.float64), 0).item()


def ragged(B=5, T=5, U=3, V=6, dtype=torch.float64):
    logits = torch.randn(B, T, U + 1, V, dtype=dtype) * 2
    tokens = torch.randint(1, V, (B, U))
    enc_lens = torch.randint(1, T + 1, (B,))
    token_lens = torch.randint(0, U + 1, (B,))
    enc_lens[0], token_lens[0] = T, U
    return logits, tokens, enc_lens, token_lens


def test_equals_the_sum_over_all_alignments():
    logits, tokens, enc_lens, token_lens = ragged(B=12)
    losses = transducer_loss(
        logits, tokens, enc_lens, token_lens, reduction="none", backend="torch"
    )
    for b, loss in enumerate(losses):
        T, U = int(enc_lens[b]), int(token_lens[b])
        log_probs = logits[b, :T, : U + 1].log_softmax(-1)
        expected = brute_force(log_probs, tokens[b, :U].tolist())
        assert math.isclose(loss.item(), expected, rel_tol=1e-10)


def test_gradient_equals_finite_differences():
    logits, tokens, enc_lens, token_lens = ragged(B=3, T=4, U=2, V=4)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z: transducer_loss(
            z, tokens, enc_lens, token_lens, reduction="none", backend="torch"
        ),
        logits,
    )


def test_equals_torchaudio_in_loss_and_gradient():
    logits, tokens, enc_lens, token_lens = ragged(6, 11, 7, 20, torch.float32)
    weights = torch.rand(6)
    losses, gradients = [], []
    for backend in ("torch", "torchaudio"):
        z = logits.clone().requires_grad_()
        loss = transducer_loss(
            z, tokens, enc_lens, token_lens, reduction="none", backend=backend
        )
        (loss * weights).sum().backward()
        losses.append(loss.detach())
        gradients.append(z.grad)
    torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def test_padding_and_batch_change_nothing():
    logits, tokens, enc_lens, token_lens = ragged()
    logits.requires_grad_()
    together = transducer_loss(
        logits, tokens, enc_lens, token_lens, reduction="none", backend="torch"
    )
    together.sum().backward()
    for b in range(len(logits)):
        T, U = int(enc_lens[b]), int(token_lens[b])
        alone = logits[b : b + 1, :T, : U + 1].detach().requires_grad_()
        loss = transducer_loss(
            alone,
            tokens[b : b + 1, :U],
            enc_lens[b : b + 1],
            token_lens[b : b + 1],
            backend="torch",
        )
        loss.backward()
        torch.testing.assert_close(loss, together[b])
        torch.testing.assert_close(alone.grad[0], logits.grad[b, :T, : U + 1])
        outside = logits.grad[b].clone()
        outside[:T, : U + 1] = 0
        assert not outside.any()


def test_occupations_are_probabilities_of_arcs():
    logits, tokens, enc_lens, token_lens = ragged(B=4, T=6, U=4)
    log_probs = logits.log_softmax(-1)
    index = tokens[:, None, :, None].expand(-1, 6, -1, -1)
    label = log_probs[:, :, :-1].gather(3, index).squeeze(3)
    paths = lattice(log_probs[..., 0], label, enc_lens, token_lens)
    # Every path takes each label once and leaves each frame by one blank.
    torch.testing.assert_close(
        paths.label_occupation.sum(dim=1),
        (torch.arange(4) < token_lens[:, None]).double(),
    )
    torch.testing.assert_close(
        paths.blank_occupation.sum(dim=2),
        (torch.arange(6) < enc_lens[:, None]).double(),
    )


@pytest.mark.parametrize("name", ["tiny", "small", "noboundary"])
def test_equals_k2(name, shared):
    golden = np.load(shared / "golden" / "k2" / f"regular_dp0.0_{name}.npz")
    am, lm, w = (torch.from_numpy(golden[k]).double() for k in ("am", "lm", "w"))
    tokens = torch.from_numpy(golden["symbols"]).long()
    blank_id = json.loads(bytes(golden["meta"]))["blank"]
    B, T, _ = am.shape
    enc_lens, token_lens = torch.full((B,), T), torch.full((B,), tokens.shape[1])
    if "boundary" in golden:
        boundary = torch.from_numpy(golden["boundary"]).long()
        token_lens, enc_lens = boundary[:, 2], boundary[:, 3]
    logits = (2 * torch.tanh(am[:, :, None] + lm[:, None])).requires_grad_()
    losses = transducer_loss(
        logits, tokens, enc_lens, token_lens, blank_id=blank_id, reduction="none",
        backend="torch",
    )  # fmt: skip
    (losses * w).sum().backward()
    expected = torch.from_numpy(golden["full/loss"])
    torch.testing.assert_close(losses.detach(), expected, rtol=1e-6, atol=1e-6)
    expected = torch.from_numpy(golden["full/logits_grad"])
    torch.testing.assert_close(logits.grad, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"enc_lens": torch.tensor([6, 2])}, "enc_lens must be in 1..5, found 2..6"),
        ({"enc_lens": torch.tensor([0, 2])}, "enc_lens"),
        ({"token_lens": torch.tensor([4, 1])}, "token_lens must be in 0..3"),
        ({"tokens": torch.full((2, 3), 6)}, "tokens must be in 0..5"),
        ({"tokens": torch.zeros(2, 3, dtype=torch.int64)}, "holds blank"),
        ({"tokens": torch.ones(2, 4, dtype=torch.int64)}, "tokens has shape"),
        ({"reduction": "avg"}, "reduction"),
        ({"backend": "warp"}, "warp"),
    ],
)
def test_bad_arguments_are_named(change, message):
    arguments = {
        "tokens": torch.ones(2, 3, dtype=torch.int64),
        "enc_lens": torch.tensor([5, 2]),
        "token_lens": torch.tensor([3, 1]),
        **change,
    }
    with pytest.raises(ValueError, match=message):
        transducer_loss(torch.randn(2, 5, 4, 6), **arguments)
