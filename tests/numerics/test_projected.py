"""Losses from projections: the same as from logits, whatever is tiled or grouped."""

import pytest
import torch

from asrkit.transducer.full import transducer_loss
from asrkit.transducer.fused import fused_loss
from asrkit.transducer.pruned import prune_ranges
from asrkit.transducer.sample_wise import sample_wise_loss
from asrkit.transducer.sampled import sampled_loss
from asrkit.transducer.sampling import Vocabulary, sample_vocabulary
from asrkit.transducer.tiled import tiles
from tests.numerics.lattices import TOPOLOGIES, join, path_scores, projections

OPTIONS = [{}, {"delay_penalty": 0.1}, {"hat": True}, {"fastemit": 0.3}]


def gradients_of(inputs, loss_of):
    """Return loss and gradients of fresh copies of the inputs."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    loss = loss_of(*leaves)
    loss.backward()
    return [loss.detach(), *(x.grad for x in leaves)]


def full(batch, **options):
    return lambda *inputs: transducer_loss(join(*inputs), *batch, **options)


def assert_same(found, expected, **tolerance):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, **tolerance)


@pytest.mark.parametrize("max_cells", [1, 30, 10**6])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_sample_wise_equals_full(topology, options, max_cells):
    inputs, batch = projections()
    options = {**options, "topology": topology}
    found = gradients_of(
        inputs, lambda *x: sample_wise_loss(*x, *batch, max_cells=max_cells, **options)
    )
    assert_same(found, gradients_of(inputs, full(batch, **options)))


@pytest.mark.parametrize("budget", [(5, 0, 7), (5, 20, 1000), (1000, 0, 1000)])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_fused_equals_full(topology, options, budget, monkeypatch):
    monkeypatch.setattr(
        "asrkit.transducer.fused.choose_budget", lambda *_: tiles.Budget(*budget)
    )
    inputs, batch = projections(B=6, T=7, possible=False)
    options = {**options, "topology": topology}
    found = gradients_of(inputs, lambda *x: fused_loss(*x, *batch, **options))
    assert_same(found, gradients_of(inputs, full(batch, **options)))


def test_float32_agrees_to_a_hundred_thousandth():
    inputs, batch = projections(B=4, T=60, U=12, V=40, J=16, dtype=torch.float32)
    expected = gradients_of(inputs, full(batch))
    for loss in (fused_loss, sample_wise_loss):
        found = gradients_of(inputs, lambda *x, loss=loss: loss(*x, *batch))
        for a, b in zip(found, expected, strict=True):
            assert (a - b).norm() <= 1e-5 * b.norm()


@pytest.mark.parametrize("loss", [fused_loss, sample_wise_loss])
def test_each_utterance_may_have_an_upstream_gradient_of_its_own(loss):
    inputs, batch = projections()
    scale = torch.rand(5, dtype=torch.float64)
    expected = gradients_of(
        inputs,
        lambda *x: (transducer_loss(join(*x), *batch, reduction="none") * scale).sum(),
    )
    late = gradients_of(
        inputs, lambda *x: (loss(*x, *batch, reduction="none") * scale).sum()
    )
    assert_same(late, expected)
    known = gradients_of(inputs, lambda *x: loss(*x, *batch, weights=scale))
    assert_same(known, expected)


def test_a_second_backward_pass_gives_the_same_again():
    inputs, batch = projections()
    leaves = [x.clone().requires_grad_() for x in inputs]
    loss = 3.0 * fused_loss(*leaves, *batch)
    loss.backward(retain_graph=True)
    first = [x.grad.clone() for x in leaves]
    loss.backward()
    assert_same([x.grad for x in leaves], [2.0 * g for g in first])


def test_without_gradients_nothing_but_the_loss_is_computed(monkeypatch):
    inputs, batch = projections()
    monkeypatch.setattr(tiles.TiledLoss, "backward_tile", None)
    loss = fused_loss(*inputs, *batch)
    torch.testing.assert_close(loss, full(batch)(*inputs))


@pytest.mark.parametrize("loss", [fused_loss, sample_wise_loss])
def test_no_path_and_no_frames_have_loss_and_gradient_zero(loss):
    inputs, (tokens, enc_lens, token_lens) = projections(B=3)
    enc_lens = torch.tensor([6, 2, 0])
    token_lens = torch.tensor([3, 3, 1])
    losses = []
    leaves = [x.clone().requires_grad_() for x in inputs]
    losses = loss(
        *leaves, tokens, enc_lens, token_lens, topology="monotonic", reduction="none"
    )
    losses.sum().backward()
    assert losses[0] > 0
    assert losses[1:].tolist() == [0.0, 0.0]
    assert leaves[0].grad[0].any()
    assert not leaves[0].grad[1:].any()
    assert not leaves[1].grad[1:].any()


def test_bfloat16_inputs_are_summed_in_float32():
    inputs, batch = projections(B=4, T=30, U=6, V=20, J=16, dtype=torch.float32)
    rounded = [x.bfloat16() for x in inputs[:2]] + inputs[2:]
    precise = [x.float() for x in rounded]
    found = gradients_of(rounded, lambda *x: fused_loss(*x, *batch))
    expected = gradients_of(precise, lambda *x: fused_loss(*x, *batch))
    assert found[1].dtype == torch.bfloat16
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(found[3], expected[3])
    with torch.autocast("cpu", torch.bfloat16):
        cast = gradients_of(rounded, lambda *x: fused_loss(*x, *batch))
    assert_same(cast, found)


@pytest.mark.parametrize("scope", ["batch", "utterance"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_sampling_the_whole_vocabulary_is_the_exact_loss(topology, options, scope):
    inputs, batch = projections()
    options = {**options, "topology": topology}
    vocabulary = sample_vocabulary(batch[0], batch[2], 7, 6, scope=scope)
    for correction in (False, True):
        found = gradients_of(
            inputs,
            lambda *x, c=correction: sampled_loss(
                *x, *batch, vocabulary=vocabulary, log_q_correction=c, **options
            ),
        )
        assert_same(found, gradients_of(inputs, full(batch, **options)))


@pytest.mark.parametrize("scope", ["batch", "utterance"])
def test_a_sample_is_a_softmax_over_its_tokens(scope):
    inputs, batch = projections(V=40)
    vocabulary = sample_vocabulary(batch[0], batch[2], 40, 3, scope=scope)
    mask = torch.full((5, 40), -torch.inf, dtype=torch.float64)
    mask.scatter_(1, vocabulary.ids.expand(5, -1), 0.0)
    expected = gradients_of(
        inputs,
        lambda *x: transducer_loss(join(*x) + mask[:, None, None], *batch),
    )
    found = gradients_of(
        inputs, lambda *x: sampled_loss(*x, *batch, vocabulary=vocabulary)
    )
    assert_same(found, expected)


@pytest.mark.parametrize("scope", ["batch", "utterance"])
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_sample_sums_over_all_paths(topology, scope):
    inputs, (tokens, *lens) = projections(T=5, V=20)
    sample = sample_vocabulary(tokens, lens[1], 20, 3, scope=scope)
    options = {"vocabulary": sample, "topology": topology, "reduction": "none"}
    found = sampled_loss(*inputs, tokens, *lens, **options)
    for b, (T, U) in enumerate(zip(*(x.tolist() for x in lens), strict=True)):
        ids = sample.ids.expand(5, -1)[b]
        chosen = join(*inputs)[b, :T, : U + 1, ids].log_softmax(dim=-1)
        places = [ids.tolist().index(token) for token in tokens[b, :U].tolist()]
        label = chosen[:, range(U), places]
        scores = path_scores(chosen[..., 0], label, topology)
        torch.testing.assert_close(found[b], -scores.logsumexp(dim=0))


@pytest.mark.parametrize("budget", [(5, 0, 7), (5, 20, 1000)])
@pytest.mark.parametrize("banded", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_samples_of_utterances_are_those_of_one_at_a_time(
    topology, options, banded, budget, monkeypatch
):
    monkeypatch.setattr(
        "asrkit.transducer.sampled.choose_budget", lambda *_: tiles.Budget(*budget)
    )
    inputs, batch = projections(B=6, T=7, V=30, possible=False)
    options = {**options, "topology": topology, "log_q_correction": True}
    occupations = torch.rand(6, 7, 4), torch.rand(6, 7, 3)
    ranges = prune_ranges(*occupations, *batch[1:], s_range=2, topology=topology)
    sample = sample_vocabulary(batch[0], batch[2], 30, 4, scope="utterance")

    def one_by_one(enc, pred, weight, bias):
        losses = [
            sampled_loss(
                enc[b, None], pred[b, None], weight, bias,
                *(x[b, None] for x in batch),
                vocabulary=Vocabulary(sample.ids[b], sample.log_inclusion[b]),
                ranges=ranges[b, None] if banded else None,
                **options,
            )
            for b in range(6)
        ]  # fmt: skip
        return torch.stack(losses).sum()

    options_of_all = {**options, "ranges": ranges if banded else None}
    found = gradients_of(
        inputs, lambda *x: sampled_loss(*x, *batch, vocabulary=sample, **options_of_all)
    )
    assert_same(found, gradients_of(inputs, one_by_one))


@pytest.mark.parametrize(
    ("name", "change"),
    [("weight", {2: (8, 5)}), ("bias", {3: (6,)}), ("pred_proj", {1: (5, 4, 3)})],
)
def test_shapes_that_do_not_fit_are_named(name, change):
    inputs, batch = projections()
    for place, shape in change.items():
        inputs[place] = torch.zeros(shape)
    with pytest.raises(ValueError, match=name):
        fused_loss(*inputs, *batch)


@pytest.mark.parametrize("loss", [fused_loss, sample_wise_loss])
def test_without_gradients_none_are_computed(loss, monkeypatch):
    inputs, batch = projections()
    leaves = [x.clone().requires_grad_() for x in inputs]
    expected = loss(*leaves, *batch)
    # To call it would fail.
    monkeypatch.setattr(tiles.TiledLoss, "backward_tile", None)
    with torch.no_grad():
        torch.testing.assert_close(loss(*leaves, *batch), expected.detach())
