"""Muon: its orthogonalisation, and its AdamW half against torch's."""

import torch
from torch import nn

from asrkit.training.optimizers.muon import Muon, MuonConfig, orthogonalize


def test_singular_values_come_close_to_one_and_directions_stay():
    matrices = torch.randn(3, 24, 40) @ torch.randn(40, 40)
    result = orthogonalize(matrices, steps=5)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.5
    assert values.max() < 1.3
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    aligned = u.mT @ result @ v.mT
    off_diagonal = aligned - torch.diag_embed(aligned.diagonal(dim1=1, dim2=2))
    assert off_diagonal.abs().max() < 1e-3
    tall = orthogonalize(matrices.mT, steps=5)
    torch.testing.assert_close(tall, result.mT, rtol=1e-4, atol=1e-5)


def test_the_rest_is_updated_as_torch_adamw_does():
    torch.manual_seed(0)
    mine = nn.Conv1d(3, 4, 2)
    theirs = nn.Conv1d(3, 4, 2)
    theirs.load_state_dict(mine.state_dict())
    settings = {"lr": 0.01, "betas": (0.9, 0.98), "eps": 1e-8}
    ours = Muon(
        [{**settings, "params": list(mine.parameters())}],
        momentum=0.95, steps=5, weight_decay=0.1,
    )  # fmt: skip
    reference = torch.optim.AdamW(theirs.parameters(), weight_decay=0.1, **settings)
    for _ in range(5):
        x = torch.randn(2, 3, 7)
        for module, optimizer in ((mine, ours), (theirs, reference)):
            optimizer.zero_grad()
            module(x).square().sum().backward()
            optimizer.step()
    for own, other in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(own, other)


def test_linear_weights_move_by_orthogonal_steps():
    module = nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 12))
    optimizer = MuonConfig(matrix_lr=0.1, weight_decay=0.0).build(module)
    before = module[2].weight.detach().clone()
    module(torch.randn(20, 6)).square().sum().backward()
    optimizer.step()
    step = (before - module[2].weight) / 0.1
    values = torch.linalg.svdvals(step.detach())
    # Twice as many rows as columns: scaled by the root of 2.
    assert values.max() < 1.3 * 2**0.5
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
