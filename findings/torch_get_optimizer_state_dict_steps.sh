#!/usr/bin/env bash
# Asking for an optimizer's state before its first update.
#
# Version: torch 2.14.1 (Python 3.11, on the CPU, no process group).
#
# Expected (written before the first run): get_optimizer_state_dict only reads. A run
# that calls it before its first update ends with the very weights of a run that does
# not, and AdamW has counted one step after one update.
#
# Behaviour: to have a state to return, the call makes a step with gradients and a
# learning rate of zero, and AdamW counts it. The first real update is then scaled by
# the bias correction of the second, here to 0.74 of its size; the docstring does not
# say so.
#
# Seen:
#   without the call: weight 0.9989900 after 1 step
#   with the call:    weight 0.9992458 after 2 steps
#
# Reported as pytorch/pytorch issue 164929 (open).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.14.1

OMP_NUM_THREADS=1 "$work/venv/bin/python" -I -W "ignore:Failed to initialize NumPy" - <<'PY'
import torch
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict


def train(ask):
    """One update of one weight; return the weight and the steps AdamW counted."""
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    if ask:
        get_optimizer_state_dict(model, optimizer)
    model(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    steps = optimizer.state[model.weight]["step"].item()
    return model.weight.item(), steps


plain, plain_steps = train(ask=False)
asked, asked_steps = train(ask=True)
print(f"without the call: weight {plain:.7f} after {plain_steps:.0f} step")
print(f"with the call:    weight {asked:.7f} after {asked_steps:.0f} steps")
assert plain_steps == 1
assert asked_steps == 2, "the call no longer counts as a step"
assert abs(plain - asked) > 1e-4, "the call no longer changes the update"
PY
