#!/usr/bin/env bash
# The bytes of a vocabulary that leaves out one that no text has.
#
# Version: sherpa-onnx 2.0.1 (with onnx 1.23.2, numpy 2.3.5, Python 3.11).
#
# Expected (written before the first run): where a model's pieces are those of
# SentencePiece with byte fallback, <0x00> to <0xFF>, the text of a result has them
# joined to characters: <0xE4> <0xB8> <0xAD> is 中.
#
# Behaviour: that needs <0xFF> to come 255 places after <0x00>. With one of them left
# out, such as <0xFF> itself, which UTF-8 never uses, no piece is a byte, though its
# name says which one it is: the text has the names instead, and nothing warns of it.
#
# Seen:
#   all 256 bytes: A is 'A', 中 is '中'
#   without <0xFF>: A is '<0x41>', 中 is '<0xE4><0xB8><0xAD>'
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet sherpa-onnx==2.0.1 onnx==1.23.2 numpy==2.3.5

"$work/venv/bin/python" -I -X utf8 - "$work" <<'PY'
import sys
from pathlib import Path

import numpy as np
import onnx
import sherpa_onnx
from onnx import TensorProto, helper, numpy_helper

folder = Path(sys.argv[1])
model, table = str(folder / "model.onnx"), str(folder / "tokens.txt")


def recognize(pieces, spoken):
    """Return the text of a CTC model that hears some pieces, whatever is said."""
    lines = (f"{piece} {n}\n" for n, piece in enumerate(pieces))
    Path(table).write_text("".join(lines))
    scores = np.full((1, 2 * len(spoken), len(pieces)), -10, np.float32)
    scores[0, 1::2, 0] = 0
    for n, piece in enumerate(spoken):
        scores[0, 2 * n, pieces.index(piece)] = 0
    values = {"scores": scores, "lengths": np.array([2 * len(spoken)])}
    graph = helper.make_graph(
        [
            helper.make_node("Constant", [], [name], value=numpy_helper.from_array(one))
            for name, one in values.items()
        ],
        "ctc",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "T", 80]),
            helper.make_tensor_value_info("x_lens", TensorProto.INT64, ["N"]),
        ],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, scores.shape),
            helper.make_tensor_value_info("lengths", TensorProto.INT64, [1]),
        ],
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), model)
    recognizer = sherpa_onnx.OfflineRecognizer.from_zipformer_ctc(
        model=model, tokens=table, num_threads=1
    )
    stream = recognizer.create_stream()
    stream.accept_waveform(16000, np.zeros(16000, np.float32))
    recognizer.decode_stream(stream)
    return stream.result.text


special = ["<blk>", "<sos/eos>", "<unk>"]
every = [f"<0x{byte:02X}>" for byte in range(256)]
found = {}
for name, kept in (("all 256 bytes", every), ("without <0xFF>", every[:-1])):
    found[name] = [
        recognize([*special, *kept, "▁"], [every[byte] for byte in char.encode()])
        for char in "A中"
    ]
    print("{}: A is {!r}, 中 is {!r}".format(name, *found[name]))
assert found["all 256 bytes"] == ["A", "中"]
assert found["without <0xFF>"] == ["<0x41>", "<0xE4><0xB8><0xAD>"], "still bytes"
PY
