"""What trains the CTC head: after the encoder, half way up, and on two views."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from asrkit.losses.criterion import Encoded
from asrkit.losses.ctc import ConsistencyCriterion, CtcCriterion, CtcLossConfig
from asrkit.losses.fused import FusedLossConfig
from asrkit.losses.mbr import MbrLossConfig
from asrkit.utils.training_progress import TrainingProgress
from tests.unit.losses.test_criteria import make_batch, make_model


def two_views(a, b):
    _, enc_lens, tokens, token_lens = make_batch()
    rest = [x.repeat(2, *[1] * (x.ndim - 1)) for x in (enc_lens, tokens, token_lens)]
    return Encoded(torch.cat([a, b]), *rest, views=2)


def consistency(share=1.0, ramp=0.1):
    criterion = ConsistencyCriterion(ramp)
    criterion.progress = TrainingProgress(share)
    return criterion


def test_views_that_are_alike_are_0_apart():
    model, enc_out = make_model(), make_batch()[0].requires_grad_()
    loss, _ = consistency()(model, two_views(enc_out, enc_out))
    torch.testing.assert_close(loss, torch.zeros(()), rtol=0, atol=1e-5)
    (gradient,) = torch.autograd.grad(loss, enc_out)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-5)


def test_it_sums_the_divergences_of_valid_frames_and_learns_from_the_open_side():
    model = make_model()
    _, enc_lens, *_ = make_batch()
    a, b = (torch.randn(3, 7, 16, requires_grad=True) for _ in range(2))
    loss, _ = consistency()(model, two_views(a, b))
    expected = torch.zeros(())
    for view, target in ((a, b.detach()), (b, a.detach())):
        for row, goal, T in zip(view, target, enc_lens, strict=True):
            p = model.ctc_head(goal[:T]).softmax(dim=-1).detach()
            q = model.ctc_head(row[:T]).softmax(dim=-1)
            expected = expected + (p * (p / q).log()).sum()
    torch.testing.assert_close(loss, expected)
    for one, other in zip(
        torch.autograd.grad(loss, (a, b)),
        torch.autograd.grad(expected, (a, b)),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_it_grows_to_its_weight_and_validation_has_none():
    model = make_model()
    batch = two_views(*torch.randn(2, 3, 7, 16))
    whole, _ = consistency(share=0.3, ramp=0.2)(model, batch)
    half, _ = consistency(share=0.1, ramp=0.2)(model, batch)
    torch.testing.assert_close(half, whole / 2)
    assert consistency(share=0.0, ramp=0.0)(model, batch)[0] == whole
    alone, _ = consistency()(model, Encoded(*make_batch()))
    assert alone == 0


def test_half_way_up_the_same_head_is_trained():
    model = make_model()
    enc_out, *rest = make_batch()
    layers = [torch.randn_like(enc_out) for _ in range(4)]
    found, _ = CtcCriterion(depth=0.5)(model, Encoded(layers[-1], *rest, layers=layers))
    log_probs = model.ctc_head(layers[1]).log_softmax(dim=-1).transpose(0, 1)
    tokens, enc_lens, token_lens = rest[1], rest[0], rest[2]
    expected = F.ctc_loss(log_probs, tokens, enc_lens, token_lens, reduction="sum")
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("config", [CtcLossConfig(), FusedLossConfig()])
def test_losses_may_have_them_beside_their_own(config):
    weights = {**config.weights, "inter_ctc": 0.1, "cr_ctc": 0.2}
    criterion = dataclasses.replace(config, weights=weights).build(make_model())
    assert set(criterion.criteria) == set(weights)
    assert criterion.views == 2
    assert config.build(make_model()).views == 1


def test_lists_of_hypotheses_have_one_view():
    with pytest.raises(ValueError, match=r"loss\.weights\.cr_ctc: no such criterion"):
        MbrLossConfig(weights={"transducer": 1.0, "cr_ctc": 0.1})
