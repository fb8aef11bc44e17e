#!/usr/bin/env bash
# scaled_dot_product_attention with a bool mask, in an ONNX export.
#
# Versions: torch 2.14.1, onnx 1.23.2 (Python 3.11); torch.onnx.export with dynamo=False,
# opset 18.
#
# Expected: a bool mask and the equal mask of 0 and -inf, which torch makes of it anyway,
# are exported to the same operations on the weights: product, sum, softmax.
#
# Behaviour: with the bool mask the file looks for NaN in all weights after the softmax
# and selects 0 there, for queries that may attend to nothing; with the mask of numbers it
# does not. In onnxruntime 1.32 on a CPU that search and selection took a third of a
# conformer's time at 750 frames, as the selection reads and writes all weights once more.
#
# Seen:
#   bool: IsNaN 1, Softmax 1, Where 2
#   float: IsNaN 0, Softmax 1, Where 0
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.14.1 onnx==1.23.2

cat > "$work/export.py" <<'PY'
import io
import warnings

import onnx
import torch

warnings.simplefilter("ignore")


class Attention(torch.nn.Module):
    """Attention of x (B, H, T, d) to itself."""

    def forward(self, x, mask):
        return torch.nn.functional.scaled_dot_product_attention(x, x, x, mask)


allowed = torch.ones(2, 1, 1, 5, dtype=torch.bool)
added = torch.zeros(2, 1, 1, 5).masked_fill(~allowed, -torch.inf)
for name, mask in (("bool", allowed), ("float", added)):
    file = io.BytesIO()
    torch.onnx.export(
        Attention(), (torch.randn(2, 3, 5, 4), mask), file, opset_version=18,
        input_names=["x", "mask"], dynamo=False,
    )
    kinds = [one.op_type for one in onnx.load_from_string(file.getvalue()).graph.node]
    counts = (f"{kind} {kinds.count(kind)}" for kind in ("IsNaN", "Softmax", "Where"))
    print(f"{name}: {', '.join(counts)}")
PY

"$work/venv/bin/python" "$work/export.py" 2> "$work/err" | tee "$work/out"
diff "$work/out" - <<'SEEN'
bool: IsNaN 1, Softmax 1, Where 2
float: IsNaN 0, Softmax 1, Where 0
SEEN
