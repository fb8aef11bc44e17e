"""ScaledAdam: against plain Python, its invariance, and stopping in between."""

import io
import math
import statistics

import pytest
import torch
from torch import nn

from asrkit.training.optimizers.scaled_adam import ScaledAdamConfig

SHAPES = [(3, 4), (2, 3, 2), (5,), (6,), (3, 4)]


class Holder(nn.Module):
    """Parameters, and nothing else."""

    def __init__(self, tensors):
        super().__init__()
        self.tensors = nn.ParameterList([nn.Parameter(t.clone()) for t in tensors])


def draw(seed, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return [
        scale * torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in SHAPES
    ]


def start():
    tensors = draw(0, 0.5)
    tensors[2] = torch.zeros_like(tensors[2])
    tensors[3] *= 40.0  # above max_rms
    return tensors


def gradients(update):
    """Ordinary ones, but one update of 14 in which they explode."""
    return draw(100 + update, 300.0 if update == 8 else 1.0 + 0.1 * update)


def move(holder, optimizer, updates, scales=None):
    scales = scales or [1.0] * len(SHAPES)
    for update in updates:
        for p, g, scale in zip(holder.tensors, gradients(update), scales, strict=True):
            p.grad = (g / scale).to(p.dtype)
        optimizer.step()


class Plain:
    """Algorithm 1 of the paper, number by number; and the clipping."""

    def __init__(self, tensors, config):
        self.tensors = [t.flatten().tolist() for t in tensors]
        self.moments = [
            [[0.0] * len(t), [0.0] * len(t), 0.0, 0.0] for t in self.tensors
        ]
        self.config = config
        self.t = 0
        self.norms = []
        self.clipped = 0

    def step(self, gradients):
        c = self.config
        scales = [math.sqrt(sum(x * x for x in w) / len(w)) for w in self.tensors]
        floors = [max(r, c.min_rms) for r in scales]
        norm = math.sqrt(
            sum((r * x) ** 2 for r, g in zip(floors, gradients, strict=True) for x in g)
        )
        share = 1.0
        if self.norms:
            past = self.norms[-c.clip_window :]
            share = min(1.0, c.clip * statistics.median_low(past) / norm)
            self.clipped += share < 1.0
        self.norms.append(norm)
        self.t += 1
        for index, g in enumerate(gradients):
            g = [share * x for x in g]
            self.update(index, g, floors[index], scales[index] > c.max_rms)

    def update(self, index, g, r, too_large):
        c, w = self.config, self.tensors[index]
        b1, b2 = c.betas
        m, v, n, s = self.moments[index]
        h = sum(x * y for x, y in zip(g, w, strict=True))
        m = [b1 * a + (1 - b1) * x for a, x in zip(m, g, strict=True)]
        v = [b2 * a + (1 - b2) * x * x for a, x in zip(v, g, strict=True)]
        n = b1 * n + (1 - b1) * h
        s = b2 * s + (1 - b2) * h * h
        self.moments[index] = [m, v, n, s]
        bias = math.sqrt(1 - b2**self.t) / (1 - b1**self.t)
        grow = 1.0 if too_large else n / (math.sqrt(s) + c.eps)
        self.tensors[index] = [
            x
            - c.lr * r * bias * a / (math.sqrt(b) + c.eps)
            - c.scale_lr * c.lr * bias * grow * x
            for x, a, b in zip(w, m, v, strict=True)
        ]


def test_updates_are_those_of_the_paper():
    config = ScaledAdamConfig(lr=0.1, eps=1e-3, clip_window=4, min_rms=1e-2)
    holder = Holder(start())
    plain = Plain(start(), config)
    move(holder, config.build(holder), range(14))
    for update in range(14):
        plain.step([g.flatten().tolist() for g in gradients(update)])
    assert 0 < plain.clipped < 7
    for p, own in zip(holder.tensors, plain.tensors, strict=True):
        torch.testing.assert_close(
            p.detach().flatten(), torch.tensor(own, dtype=torch.float64)
        )


def test_a_tensor_that_is_larger_moves_as_much_farther():
    # The loss as a function of w / k: gradients are k times smaller.
    scales = [4.0, 0.25, 1.0, 0.5, 0.125]
    config = ScaledAdamConfig(eps=1e-30, min_rms=0.0, max_rms=1e9)
    begin = draw(0, 0.5)
    holder = Holder(begin)
    scaled = Holder([k * t for k, t in zip(scales, begin, strict=True)])
    move(holder, config.build(holder), range(14))
    move(scaled, config.build(scaled), range(14), scales)
    for k, p, q in zip(scales, holder.tensors, scaled.tensors, strict=True):
        torch.testing.assert_close(k * p.detach(), q.detach())


def test_zeros_find_a_minimum_that_is_far_away():
    target = torch.tensor([0.5, -0.3, 0.4])
    holder = Holder([torch.zeros(3)])
    optimizer = ScaledAdamConfig().build(holder)
    for update in range(600):
        optimizer.param_groups[0]["lr"] = 0.045 * min(1.0, 2.0 - update / 300)
        optimizer.zero_grad()
        (holder.tensors[0] - target).square().sum().backward()
        optimizer.step()
    torch.testing.assert_close(holder.tensors[0].detach(), target, rtol=0, atol=1e-2)


def test_what_is_too_large_shrinks():
    holder, free = Holder(start()), Holder(start())
    move(holder, ScaledAdamConfig().build(holder), range(200))
    move(free, ScaledAdamConfig(max_rms=1e9).build(free), range(200))
    before, after, other = (
        tensors[3].detach().norm()
        for tensors in (start(), holder.tensors, free.tensors)
    )
    assert after < 0.9 * before < other


@pytest.mark.parametrize("first", [3, 9])
def test_going_on_after_a_stop_changes_no_bit(first):
    config = ScaledAdamConfig(clip_window=4)
    whole = Holder(start()).float()
    move(whole, config.build(whole), range(14))
    part = Holder(start()).float()
    optimizer = config.build(part)
    move(part, optimizer, range(first))
    file = io.BytesIO()
    torch.save([part.state_dict(), optimizer.state_dict()], file)
    file.seek(0)
    weights, state = torch.load(file, weights_only=True)
    resumed = Holder(draw(7)).float()
    resumed.load_state_dict(weights)
    optimizer = config.build(resumed)
    optimizer.load_state_dict(state)
    move(resumed, optimizer, range(first, 14))
    for p, q in zip(whole.tensors, resumed.tensors, strict=True):
        assert torch.equal(p, q)


def test_frozen_parameters_are_left_out():
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    module[0].requires_grad_(False)
    before = module[0].weight.clone(), module[1].weight.clone()
    optimizer = ScaledAdamConfig().build(module)
    assert len(optimizer.param_groups[0]["params"]) == 2
    module(torch.randn(5, 3)).square().sum().backward()
    optimizer.step()
    assert torch.equal(module[0].weight, before[0])
    assert not torch.equal(module[1].weight, before[1])
