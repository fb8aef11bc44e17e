#!/usr/bin/env bash
# A row of attention that sees no key, in an ONNX export, with a bool and a float mask.
#
# Versions: torch 2.14.1, onnx 1.23.2, onnxruntime 1.32.0 (Python 3.11); torch.onnx.export
# with dynamo=False, opset 18.
#
# Expected: scaled_dot_product_attention gives 0 for a query all of whose keys are masked,
# as padding is in a batch, whether attn_mask is bool or holds 0 and -inf. The export does
# the same, or differs from torch for both masks.
#
# Behaviour: torch gives 0 for both. The export gives 0 for the bool mask, by IsNaN and
# Where over all weights after the softmax, which cost time; for the float mask it has
# neither, and gives NaN. It says nothing about it.
#
# Seen:
#   bool: torch 0.0, onnxruntime 0.0, IsNaN 1
#   float: torch 0.0, onnxruntime nan, IsNaN 0
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.14.1 onnx==1.23.2 onnxruntime==1.32.0

cat > "$work/export.py" <<'PY'
import io

import onnx
import onnxruntime
import torch


class Attention(torch.nn.Module):
    """Attention of x (B, H, T, D) to itself; sees (B, 1, T, T) says which keys."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, x, sees):
        mask = sees
        if self.kind == "float":
            mask = torch.zeros_like(sees, dtype=x.dtype).masked_fill(~sees, -torch.inf)
        return torch.nn.functional.scaled_dot_product_attention(x, x, x, mask)


x = torch.ones(1, 1, 3, 4)
sees = torch.ones(1, 1, 3, 3, dtype=torch.bool)
sees[0, 0, 2] = False  # the last query sees nothing
for kind in ("bool", "float"):
    file = io.BytesIO()
    torch.onnx.export(
        Attention(kind), (x, sees), file, input_names=["x", "sees"],
        opset_version=18, dynamo=False,
    )
    ours = Attention(kind)(x, sees)[0, 0, 2, 0].item()
    session = onnxruntime.InferenceSession(file.getvalue())
    (found,) = session.run(None, {"x": x.numpy(), "sees": sees.numpy()})
    nodes = onnx.load_from_string(file.getvalue()).graph.node
    count = sum(node.op_type == "IsNaN" for node in nodes)
    print(f"{kind}: torch {ours}, onnxruntime {found[0, 0, 2, 0]}, IsNaN {count}")
PY

"$work/venv/bin/python" "$work/export.py" 2> "$work/err" | tee "$work/out"
diff "$work/out" - <<'SEEN'
bool: torch 0.0, onnxruntime 0.0, IsNaN 1
float: torch 0.0, onnxruntime nan, IsNaN 0
SEEN
