"""Optimizers of torch, as configured: against the papers' formulas."""

import copy

import pytest
import torch
from torch import nn

from asrkit.training.optimizers.optim import AdamWConfig, NAdamConfig, RAdamConfig


def make_module():
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).double()
    module[0].requires_grad_(False)
    return module


def random_gradients(module, seed):
    generator = torch.Generator().manual_seed(seed)
    for p in module[1].parameters():
        p.grad = torch.randn(p.shape, generator=generator, dtype=torch.float64)


def nadam_step(w, g, state, t, *, lr, beta1, beta2, eps, decay):
    """Dozat (2016), algorithm 8, with its momentum schedule and L2."""
    g = g + decay * w
    momentum, ahead = (beta1 * (1 - 0.5 * 0.96 ** (0.004 * s)) for s in (t, t + 1))
    state["product"] = state.get("product", 1.0) * momentum
    state["m"] = beta1 * state.get("m", 0.0) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", 0.0) + (1 - beta2) * g * g
    mean = ahead * state["m"] / (1 - state["product"] * ahead)
    mean = mean + (1 - momentum) * g / (1 - state["product"])
    return w - lr * mean / ((state["v"] / (1 - beta2**t)).sqrt() + eps)


def test_nadam_is_dozats_and_decays_matrices_only():
    module = make_module()
    frozen = copy.deepcopy(module[0].state_dict())
    config = NAdamConfig(lr=0.1, betas=[0.8, 0.95], eps=1e-3, weight_decay=0.2)
    optimizer = config.build(module)
    expected = [p.detach().clone() for p in module[1].parameters()]
    states = [{}, {}]
    for t in range(1, 6):
        random_gradients(module, t)
        for index, p in enumerate(module[1].parameters()):
            expected[index] = nadam_step(
                expected[index], p.grad, states[index], t,
                lr=0.1, beta1=0.8, beta2=0.95, eps=1e-3, decay=[0.2, 0.0][index],
            )  # fmt: skip
        optimizer.step()
    for p, own in zip(module[1].parameters(), expected, strict=True):
        torch.testing.assert_close(p.detach(), own)
    for name, value in module[0].state_dict().items():
        assert torch.equal(value, frozen[name])


@pytest.mark.parametrize("config_class", [AdamWConfig, RAdamConfig])
def test_decoupled_decay_shrinks_matrices_only(config_class):
    module = make_module()
    weight, bias = (p.detach().clone() for p in module[1].parameters())
    optimizer = config_class(lr=0.1, weight_decay=0.5).build(module)
    for p in module[1].parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    optimizer.step()
    torch.testing.assert_close(module[1].weight.detach(), weight * 0.95**2)
    assert torch.equal(module[1].bias, bias)


def test_radam_begins_with_plain_momentum_and_then_rectifies():
    beta1, beta2, lr = 0.9, 0.999, 0.01
    module = make_module()
    bias = module[1].bias
    expected = bias.detach().clone()
    optimizer = RAdamConfig(lr=lr, betas=[beta1, beta2]).build(module)
    m = v = 0.0
    rectified = []
    for t in range(1, 9):
        random_gradients(module, t)
        m = beta1 * m + (1 - beta1) * bias.grad
        v = beta2 * v + (1 - beta2) * bias.grad**2
        mean = m / (1 - beta1**t)
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / (1 - beta2**t)
        rectified.append(length > 5)
        if length > 5:
            ratio = (length - 4) * (length - 2) * longest
            ratio /= (longest - 4) * (longest - 2) * length
            mean = mean * ratio**0.5 * (1 - beta2**t) ** 0.5 / (v.sqrt() + 1e-8)
        expected = expected - lr * mean
        optimizer.step()
    assert {*rectified} == {False, True}
    torch.testing.assert_close(bias.detach(), expected)
