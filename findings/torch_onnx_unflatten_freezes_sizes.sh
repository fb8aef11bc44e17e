#!/usr/bin/env bash
# A size that is read after Tensor.unflatten, in an ONNX export with dynamic axes.
#
# Versions: torch 2.14.1, onnx 1.23.2, onnxruntime 1.32.0 (Python 3.11); torch.onnx.export
# with dynamo=False, opset 18.
#
# Expected: unflatten(-1, (2, -1)) leaves the other axes as they are, and shape[1] of its
# result is the length of the input at hand, as it is after the equal view. The mean over
# time of ones is 1, whatever the length.
#
# Behaviour: after unflatten the length is a constant, that of the example, and nothing is
# said about it: no error, no warning of the tracer. Inputs of another length are divided
# by the example's. With view the length is the input's.
#
# Seen:
#   view, 5 frames as in the example: 1.0
#   view, 7 frames: 1.0
#   unflatten, 5 frames as in the example: 1.0
#   unflatten, 7 frames: 1.4
#   warnings of the tracer: 0
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.14.1 onnx==1.23.2 onnxruntime==1.32.0

cat > "$work/export.py" <<'PY'
import io
import warnings

import numpy as np
import onnxruntime
import torch


class Mean(torch.nn.Module):
    """The mean over time of heads (B, T, 2, D / 2) of x (B, T, D)."""

    def __init__(self, how):
        super().__init__()
        self.how = how

    def forward(self, x):
        if self.how == "view":
            heads = x.view(*x.shape[:2], 2, -1)
        else:
            heads = x.unflatten(-1, (2, -1))
        return heads.sum(dim=1) / heads.shape[1]


told = []
for how in ("view", "unflatten"):
    file = io.BytesIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.onnx.export(
            Mean(how), (torch.ones(1, 5, 4),), file, input_names=["x"],
            output_names=["y"], dynamic_axes={"x": {1: "T"}}, opset_version=18,
            dynamo=False,
        )
    told += [w for w in caught if issubclass(w.category, torch.jit.TracerWarning)]
    session = onnxruntime.InferenceSession(file.getvalue())
    for length, note in ((5, " as in the example"), (7, "")):
        (mean,) = session.run(None, {"x": np.ones((1, length, 4), np.float32)})
        print(f"{how}, {length} frames{note}: {mean.max():.1f}")
print(f"warnings of the tracer: {len(told)}")
PY

"$work/venv/bin/python" "$work/export.py" 2> "$work/err" | tee "$work/out"
diff "$work/out" - <<'SEEN'
view, 5 frames as in the example: 1.0
view, 7 frames: 1.0
unflatten, 5 frames as in the example: 1.0
unflatten, 7 frames: 1.4
warnings of the tracer: 0
SEEN
