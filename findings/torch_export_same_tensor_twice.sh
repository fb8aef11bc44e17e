#!/usr/bin/env bash
# A torch.export program whose two inputs were one tensor in the example.
#
# Version: torch 2.14.1 (Python 3.11).
#
# Expected: examples tell shapes and types. A program that was made with the same tensor
# for two inputs takes both as they come, or refuses two that are not one.
#
# Behaviour: its graph takes the second input in the place of the first, too, which is
# not looked at any more. Called with two tensors it gives what neither input asks for,
# without an error or a warning. With a clone in the example it is right.
#
# Seen:
#   one tensor twice: program 0.0, module 1.0
#   a tensor and its clone: program 1.0, module 1.0
#   warnings: 0
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.14.1

cat > "$work/export.py" <<'PY'
import warnings

import torch


class Difference(torch.nn.Module):
    def forward(self, first, second):
        return first - 2 * second


example = torch.ones(3)
first, second = torch.ones(3), torch.zeros(3)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for name, other in (
        ("one tensor twice", example),
        ("a tensor and its clone", example.clone()),
    ):
        module = Difference()
        program = torch.export.export(module, (example, other)).module()
        found, expected = program(first, second), module(first, second)
        print(f"{name}: program {found[0]:.1f}, module {expected[0]:.1f}")
print(f"warnings: {sum('export' in str(one.message) for one in caught)}")
PY

"$work/venv/bin/python" "$work/export.py" 2> "$work/err" | tee "$work/out"
diff "$work/out" - <<'SEEN'
one tensor twice: program 0.0, module 1.0
a tensor and its clone: program 1.0, module 1.0
warnings: 0
SEEN
