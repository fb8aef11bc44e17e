"""The exact loss against all paths, finite differences, torchaudio and k2."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asrkit.transducer.full import transducer_loss
from asrkit.transducer.lattices.lattice import lattice
from tests.numerics.lattices import TOPOLOGIES, path_scores, ragged

OPTIONS = [{}, {"delay_penalty": 0.1}, {"hat": True}, {"blank_id": 2}]


def log_probs_of(logits, options):
    """Return log-probabilities with blank first."""
    blank_id = options.get("blank_id", 0)
    if not options.get("hat"):
        return logits.log_softmax(-1), blank_id
    blank = torch.nn.functional.logsigmoid(logits[..., :1])
    rest = torch.nn.functional.logsigmoid(-logits[..., :1])
    return torch.cat([blank, logits[..., 1:].log_softmax(-1) + rest], -1), 0


def path_loss(logits, labels, topology, options):
    """Sum over all paths of one utterance, logits (T, U + 1, V)."""
    log_probs, blank_id = log_probs_of(logits, options)
    T, U = len(logits), len(labels)
    label = log_probs[:, torch.arange(U), labels]
    scores = path_scores(
        log_probs[..., blank_id],
        label.view(T, U),
        topology,
        delay_penalty=options.get("delay_penalty", 0.0),
    )
    return -scores.logsumexp(0)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_loss_and_gradient_equal_those_of_all_paths(topology, options):
    logits, tokens, enc_lens, token_lens = ragged(B=10)
    if "blank_id" in options:
        tokens = torch.where(tokens == 2, 0, tokens)
    z = logits.clone().requires_grad_()
    losses = transducer_loss(
        z, tokens, enc_lens, token_lens, topology=topology, reduction="none",
        impossible="inf", **options,
    )  # fmt: skip
    scale = torch.rand(10)
    torch.where(losses.isinf(), 0.0, losses).mul(scale).sum().backward()
    for b, loss in enumerate(losses):
        T, U = int(enc_lens[b]), int(token_lens[b])
        own = logits[b, :T, : U + 1].clone().requires_grad_()
        expected = path_loss(own, tokens[b, :U], topology, options)
        torch.testing.assert_close(loss, expected)
        gradient = torch.zeros_like(logits[b])
        if expected.isfinite():
            (expected * scale[b]).backward()
            gradient[:T, : U + 1] = own.grad
        torch.testing.assert_close(z.grad[b], gradient)


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_ragged_batch_equals_its_utterances_alone(data):
    B, T, U, V = (data.draw(st.integers(1, n)) for n in (4, 6, 5, 5))
    topology = data.draw(st.sampled_from(TOPOLOGIES))
    torch.manual_seed(data.draw(st.integers(0, 9)))
    logits = torch.randn(B, T, U, V + 1, dtype=torch.float64)
    tokens = torch.randint(1, V + 1, (B, U - 1))
    enc_lens = torch.randint(0, T + 1, (B,))
    token_lens = torch.randint(0, U, (B,))
    z = logits.clone().requires_grad_()
    together = transducer_loss(
        z, tokens, enc_lens, token_lens, topology=topology, reduction="none"
    )
    together.sum().backward()
    assert z.grad.isfinite().all()
    for b in range(B):
        frames, labels = int(enc_lens[b]), int(token_lens[b])
        outside = z.grad[b].clone()
        outside[:frames, : labels + 1] = 0
        assert not outside.any()
        if frames == 0:
            assert together[b] == 0.0
            continue
        own = logits[b : b + 1, :frames, : labels + 1].clone().requires_grad_()
        alone = transducer_loss(
            own, tokens[b : b + 1, :labels], enc_lens[b : b + 1],
            token_lens[b : b + 1], topology=topology,
        )  # fmt: skip
        alone.backward()
        torch.testing.assert_close(together[b], alone)
        torch.testing.assert_close(z.grad[b, :frames, : labels + 1], own.grad[0])


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_gradient_equals_finite_differences(topology):
    logits, tokens, enc_lens, token_lens = ragged(B=3, T=4, U=2, V=4)
    assert torch.autograd.gradcheck(
        lambda z: transducer_loss(
            z, tokens, enc_lens, token_lens, topology=topology, reduction="none"
        ),
        logits.requires_grad_(),
    )


def test_equals_torchaudio_in_loss_and_gradient():
    logits, tokens, enc_lens, token_lens = ragged(6, 11, 7, 20, dtype=torch.float32)
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


@pytest.mark.parametrize("name", ["tiny", "small", "noboundary"])
@pytest.mark.parametrize("kind", ["regular", "modified", "constrained"])
@pytest.mark.parametrize("penalty", ["0.0", "0.1", "0.125"])
def test_equals_k2(kind, penalty, name, shared):
    path = shared / "golden" / "k2" / f"{kind}_dp{penalty}_{name}.npz"
    if not path.exists():
        pytest.skip("no such golden value")
    golden = np.load(path)
    am, lm, w = (torch.from_numpy(golden[k]).double() for k in ("am", "lm", "w"))
    tokens = torch.from_numpy(golden["symbols"]).long()
    B, T, _ = am.shape
    enc_lens, token_lens = torch.full((B,), T), torch.full((B,), tokens.shape[1])
    if "boundary" in golden:
        boundary = torch.from_numpy(golden["boundary"]).long()
        token_lens, enc_lens = boundary[:, 2], boundary[:, 3]
    logits = (2 * torch.tanh(am[:, :, None] + lm[:, None])).requires_grad_()
    losses = transducer_loss(
        logits, tokens, enc_lens, token_lens, reduction="none",
        blank_id=json.loads(bytes(golden["meta"]))["blank"],
        topology={"modified": "monotonic"}.get(kind, kind),
        delay_penalty=float(penalty),
    )  # fmt: skip
    (losses * w).sum().backward()
    tolerance = {"rtol": 1e-6, "atol": 3e-6 if penalty == "0.1" else 1e-7}
    expected = torch.from_numpy(golden["full/loss"])
    torch.testing.assert_close(losses.detach(), expected, **tolerance)
    expected = torch.from_numpy(golden["full/logits_grad"])
    torch.testing.assert_close(logits.grad, expected, **tolerance)


def test_fastemit_lets_gradients_through_labels_grow():
    logits, tokens, enc_lens, token_lens = ragged(B=4, T=5, U=3)
    gradients = []
    for fastemit in (0.0, 0.5):
        z = logits.clone().requires_grad_()
        loss = transducer_loss(z, tokens, enc_lens, token_lens, fastemit=fastemit)
        loss.backward()
        gradients.append((loss.item(), z.grad))
    assert gradients[0][0] == gradients[1][0]
    # The gradient is linear in the arcs' occupations: blank's part is what stays.
    log_probs = logits.log_softmax(-1)
    index = tokens[:, None, :, None].expand(-1, 5, -1, -1)
    label = log_probs[:, :, :-1].gather(3, index).squeeze(3)
    arcs = lattice(log_probs[..., 0], label, enc_lens, token_lens)
    extra = torch.zeros_like(logits)
    extra[:, :, :-1] = arcs.label_occupation[..., None] * log_probs[:, :, :-1].exp()
    extra[:, :, :-1].scatter_add_(3, index, -arcs.label_occupation[..., None])
    torch.testing.assert_close(gradients[1][1] - gradients[0][1], 0.5 * extra)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_cell_whose_logits_are_all_minus_infinity_is_no_way(topology):
    logits, tokens, enc_lens, token_lens = ragged(B=3, T=5, U=3, possible=True)
    logits[0, 2, 1] = -torch.inf
    logits[1] = -torch.inf
    z = logits.clone().requires_grad_()
    losses = transducer_loss(
        z, tokens, enc_lens, token_lens, topology=topology, reduction="none"
    )
    losses.sum().backward()
    assert losses.isfinite().all()
    assert losses[0] > 0
    assert losses[1] == 0
    assert z.grad.isfinite().all()
    assert not z.grad[1].any()


def test_reuse_logits_writes_the_gradient_over_them():
    logits, tokens, enc_lens, token_lens = ragged(B=3)
    expected = logits.clone().requires_grad_()
    transducer_loss(expected, tokens, enc_lens, token_lens).backward()
    leaf = logits.clone().requires_grad_()
    z = leaf * 1.0
    transducer_loss(z, tokens, enc_lens, token_lens, reuse_logits=True).backward()
    torch.testing.assert_close(leaf.grad, expected.grad)
    torch.testing.assert_close(z.detach(), expected.grad)


def test_an_utterance_without_a_path_is_reported(caplog):
    logits, tokens, *_ = ragged(B=2, T=2, U=3)
    lens = torch.tensor([2, 2]), torch.tensor([3, 2])
    loss = transducer_loss(logits, tokens, *lens, topology="monotonic")
    assert loss > 0
    assert "1 of 2 utterances have no path" in caplog.text
    losses = transducer_loss(
        logits, tokens, *lens, topology="monotonic", reduction="none", impossible="inf"
    )
    assert losses.isinf().tolist() == [True, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"enc_lens": torch.tensor([6, 2])}, "enc_lens must be in 0..5, found 2..6"),
        ({"enc_lens": torch.tensor([-1, 2])}, "enc_lens"),
        ({"enc_lens": torch.tensor([5, 2]).int()}, "enc_lens must be int64"),
        ({"token_lens": torch.tensor([4, 1])}, "token_lens must be in 0..3"),
        ({"tokens": torch.full((2, 3), 6)}, "tokens must be in 0..5"),
        ({"tokens": torch.zeros(2, 3, dtype=torch.int64)}, "holds blank"),
        ({"tokens": torch.ones(2, 4, dtype=torch.int64)}, "tokens has shape"),
        ({"tokens": torch.ones(2, 3, dtype=torch.int64, device="meta")}, "on meta"),
        ({"reduction": "avg"}, "avg"),
        ({"backend": "warp"}, "warp"),
        ({"topology": "rna"}, "rna"),
        ({"blank_id": 6}, "blank_id"),
        ({"hat": True, "blank_id": 1}, "hat"),
        ({"fastemit": -1.0}, "fastemit"),
    ],
)
def test_bad_arguments_are_named(change, message):
    arguments = {
        "tokens": torch.full((2, 3), 2),
        "enc_lens": torch.tensor([5, 2]),
        "token_lens": torch.tensor([3, 1]),
        **change,
    }
    with pytest.raises(ValueError, match=message):
        transducer_loss(torch.randn(2, 5, 4, 6), **arguments)
