"""Kernels of the joiner weight @ tanh(enc_proj + pred_proj) + bias in a tile's cells.

Operands of matrix products are bfloat16 or float32, all sums float32. Blocks are
BLOCK_M cells times BLOCK_N of the V tokens, summed over BLOCK_K of the J channels.
"""

import os
from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from asrkit.transducer.rules import Rules

# NumPy, which the interpreter computes with, has no bfloat16.
_INTERPRETED = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")


@dataclass(frozen=True)
class JoinerTensors:
    """The projections and the output layer."""

    enc: Tensor
    """enc_proj of all utterances, (B T, J), contiguous."""
    pred: Tensor
    """pred_proj, (B (U + 1), J), contiguous."""
    weight: Tensor
    """(V, J), bfloat16 or float32, contiguous; the type of operands."""
    bias: Tensor
    """(V,), float32."""


@dataclass(frozen=True)
class TileRows:
    """Where a tile's n cells take their rows from, int32."""

    enc: Tensor
    """Row of `JoinerTensors.enc`, (n,)."""
    pred: Tensor
    """Row of `JoinerTensors.pred`, (n,)."""
    index: Tensor
    """Id of the next label, (n,)."""


def arc_log_probs(
    joiner: JoinerTensors, places: TileRows, rules: Rules
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `arcs.arc_log_probs` returns, (n,), float32; keep no logits."""
    (V, J), n = joiner.weight.shape, len(places.index)
    # Not one tensor: kernels are compiled anew for pointers less aligned.
    blank, label, normalizer = (joiner.bias.new_empty(n) for _ in range(3))
    if n:
        _arcs_kernel[lambda blocks: (triton.cdiv(n, blocks["BLOCK_M"]),)](
            joiner.enc, joiner.pred, joiner.weight, joiner.bias,
            places.enc, places.pred, places.index,
            blank, label, normalizer,
            n, V, J, rules.blank_id, _tuning_key(n, V), HAT=rules.hat,
        )  # fmt: skip
    return blank, label, normalizer


def evaluate_hidden(joiner: JoinerTensors, places: TileRows) -> Tensor:
    """Return tanh(enc_proj + pred_proj), (n, J), in the type of operands."""
    n, J = len(places.index), joiner.weight.shape[1]
    hidden = joiner.weight.new_empty((n, J))
    if n:
        _hidden_kernel[(triton.cdiv(n, 32), triton.cdiv(J, 128))](
            joiner.enc, joiner.pred, places.enc, places.pred, hidden, n, J,
            BLOCK_M=32, BLOCK_K=128,
        )  # fmt: skip
    return hidden


def logit_gradient(
    joiner: JoinerTensors,
    hidden: Tensor,
    index: Tensor,
    rows: list[Tensor],
    rules: Rules,
) -> Tensor:
    """Return what `arcs.logit_gradient` writes, (n, V), in the type of operands.

    Args:
        joiner: The output layer.
        hidden: Of `evaluate_hidden`, (n, J).
        index: Of `TileRows`, (n,).
        rows: Normalizers, derivatives by blank and by label, (n,) each, float32.
        rules: As of `arc_log_probs`.
    """
    (V, J), n = joiner.weight.shape, len(index)
    gradient = joiner.weight.new_empty((n, V))

    def grid(blocks: dict[str, int]) -> tuple[int]:
        """Return the number of blocks."""
        cells, tokens = blocks["BLOCK_M"], blocks["BLOCK_N"]
        return (triton.cdiv(n, cells) * triton.cdiv(V, tokens),)

    if n:
        _gradient_kernel[grid](
            hidden, joiner.weight, joiner.bias, index, *rows, gradient,
            n, V, J, rules.blank_id, _tuning_key(n, V), HAT=rules.hat,
        )  # fmt: skip
    return gradient


def _tuning_key(n: int, V: int) -> int:
    """Return what sizes share: n and V vary from batch to batch with some losses."""
    return 2 * triton.next_power_of_2(V) + int(n >= 4096)


def _configs() -> list[Any]:
    """Return what to choose block sizes from; in the interpreter a small one."""
    if _INTERPRETED.value:
        return [triton.Config({"BLOCK_M": 32, "BLOCK_N": 16, "BLOCK_K": 16})]
    return [
        triton.Config(
            {"BLOCK_M": cells, "BLOCK_N": tokens, "BLOCK_K": channels},
            num_warps=warps,
            num_stages=stages,
        )
        for cells, tokens, channels, warps, stages in (
            (32, 64, 32, 4, 3),
            (64, 64, 32, 4, 3),
            (64, 128, 32, 4, 3),
            (64, 128, 64, 4, 3),
            (128, 128, 64, 8, 3),
            (64, 256, 64, 8, 3),
            (128, 256, 64, 8, 3),
        )
    ]


def _prune(configs: list[Any], arguments: dict[str, Any], **_: Any) -> list[Any]:
    """Leave float32 the small blocks: it has no tensor cores, and compiles slowly."""
    if arguments["weight"].dtype == torch.bfloat16:
        return configs
    return [c for c in configs if c.kwargs["BLOCK_K"] == 32]


_tuned = triton.autotune(
    _configs(), key=["J", "key"], prune_configs_by={"early_config_prune": _prune}
)


@_tuned  # type: ignore[untyped-decorator]
@triton.jit(do_not_specialize=["n", "blank_id", "key"])  # type: ignore[untyped-decorator]
def _arcs_kernel(
    enc: tl.tensor,
    pred: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    row_e: tl.tensor,
    row_p: tl.tensor,
    index: tl.tensor,
    blank: tl.tensor,
    label: tl.tensor,
    normalizer: tl.tensor,
    n: tl.tensor,
    V: tl.tensor,
    J: tl.tensor,
    blank_id: tl.tensor,
    key: tl.tensor,
    HAT: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    """Write blank, label and normalizer of a block of cells."""
    cells = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    inside = cells < n
    left = enc + tl.load(row_e + cells, mask=inside, other=0).to(tl.int64) * J
    right = pred + tl.load(row_p + cells, mask=inside, other=0).to(tl.int64) * J
    target = tl.load(index + cells, mask=inside, other=0)
    largest = tl.full((BLOCK_M,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_M,), tl.float32)  # of exponentials, relative to largest
    blank_logit = tl.zeros((BLOCK_M,), tl.float32)
    label_logit = tl.zeros((BLOCK_M,), tl.float32)
    for first in range(0, V, BLOCK_N):
        tokens = first + tl.arange(0, BLOCK_N)
        logits = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
        for k in range(0, J, BLOCK_K):
            channels = k + tl.arange(0, BLOCK_K)
            hidden = _hidden(left, right, channels, J).to(weight.dtype.element_ty)
            logits = _multiply(hidden, weight, tokens, channels, V, J, logits)
        logits += tl.load(bias + tokens, mask=tokens < V, other=0.0)[None, :]
        blank_logit += _pick(logits, tokens[None, :] == blank_id)
        label_logit += _pick(logits, tokens[None, :] == target[:, None])
        summed = tokens < V
        if HAT:
            summed = summed & (tokens > 0)
        logits = tl.where(summed[None, :], logits, float("-inf"))
        larger = tl.maximum(largest, tl.max(logits, 1))
        base = tl.where(larger == float("-inf"), 0.0, larger)
        total *= tl.exp(largest - base)
        total += tl.sum(tl.exp(logits - base[:, None]), 1)
        largest = larger
    # As in arcs.py, 0 where all logits are -inf.
    log_sum = tl.where(largest == float("-inf"), 0.0, largest + tl.log(total))
    if HAT:
        label_logit += _log_sigmoid(-blank_logit)
        tl.store(blank + cells, _log_sigmoid(blank_logit), mask=inside)
    else:
        tl.store(blank + cells, blank_logit - log_sum, mask=inside)
    tl.store(label + cells, label_logit - log_sum, mask=inside)
    tl.store(normalizer + cells, log_sum, mask=inside)


@triton.jit(do_not_specialize=["n"])  # type: ignore[untyped-decorator]
def _hidden_kernel(
    enc: tl.tensor,
    pred: tl.tensor,
    row_e: tl.tensor,
    row_p: tl.tensor,
    hidden: tl.tensor,
    n: tl.tensor,
    J: tl.tensor,
    BLOCK_M: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    """Write a block of hidden (n, J)."""
    cells = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    channels = tl.program_id(1) * BLOCK_K + tl.arange(0, BLOCK_K)
    inside = cells < n
    left = enc + tl.load(row_e + cells, mask=inside, other=0).to(tl.int64) * J
    right = pred + tl.load(row_p + cells, mask=inside, other=0).to(tl.int64) * J
    values = _hidden(left, right, channels, J).to(hidden.dtype.element_ty)
    at = cells.to(tl.int64)[:, None] * J + channels[None, :]
    tl.store(hidden + at, values, mask=inside[:, None] & (channels < J)[None, :])


@_tuned  # type: ignore[untyped-decorator]
@triton.jit(do_not_specialize=["n", "blank_id", "key"])  # type: ignore[untyped-decorator]
def _gradient_kernel(
    hidden: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    index: tl.tensor,
    normalizer: tl.tensor,
    by_blank: tl.tensor,
    by_label: tl.tensor,
    gradient: tl.tensor,
    n: tl.tensor,
    V: tl.tensor,
    J: tl.tensor,
    blank_id: tl.tensor,
    key: tl.tensor,
    HAT: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    """Write a block of gradient (n, V)."""
    # Blocks of the same cells run together: they read the same rows of hidden.
    blocks = tl.cdiv(V, BLOCK_N)
    cells = tl.program_id(0) // blocks * BLOCK_M + tl.arange(0, BLOCK_M)
    tokens = tl.program_id(0) % blocks * BLOCK_N + tl.arange(0, BLOCK_N)
    inside = cells < n
    rows = hidden + cells.to(tl.int64) * J
    logits = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for k in range(0, J, BLOCK_K):
        channels = k + tl.arange(0, BLOCK_K)
        there = inside[:, None] & (channels < J)[None, :]
        block = tl.load(rows[:, None] + channels[None, :], mask=there, other=0.0)
        logits = _multiply(block, weight, tokens, channels, V, J, logits)
    logits += tl.load(bias + tokens, mask=tokens < V, other=0.0)[None, :]
    log_sum = tl.load(normalizer + cells, mask=inside, other=0.0)
    blank = tl.load(by_blank + cells, mask=inside, other=0.0)
    label = tl.load(by_label + cells, mask=inside, other=0.0)
    target = tl.load(index + cells, mask=inside, other=0)
    found = tl.exp(logits - log_sum[:, None])
    if HAT:
        sigmoid = 1.0 / (1.0 + tl.exp(-logits)) * (blank + label)[:, None]
        found = tl.where(tokens[None, :] == 0, sigmoid, found * label[:, None])
    else:
        found *= (blank + label)[:, None]
    found -= tl.where(tokens[None, :] == blank_id, blank[:, None], 0.0)
    found -= tl.where(tokens[None, :] == target[:, None], label[:, None], 0.0)
    at = cells.to(tl.int64)[:, None] * V + tokens[None, :]
    there = inside[:, None] & (tokens < V)[None, :]
    tl.store(gradient + at, found.to(gradient.dtype.element_ty), mask=there)


@triton.jit  # type: ignore[untyped-decorator]
def _hidden(
    left: tl.tensor, right: tl.tensor, channels: tl.tensor, J: tl.tensor
) -> tl.tensor:
    """Return tanh(enc + pred), (BLOCK_M, BLOCK_K), from pointers to their rows."""
    inside = (channels < J)[None, :]
    enc = tl.load(left[:, None] + channels[None, :], mask=inside, other=0.0)
    pred = tl.load(right[:, None] + channels[None, :], mask=inside, other=0.0)
    return _tanh(enc.to(tl.float32) + pred.to(tl.float32))


@triton.jit  # type: ignore[untyped-decorator]
def _multiply(
    hidden: tl.tensor,
    weight: tl.tensor,
    tokens: tl.tensor,
    channels: tl.tensor,
    V: tl.tensor,
    J: tl.tensor,
    logits: tl.tensor,
) -> tl.tensor:
    """Add the product of some channels to logits (BLOCK_M, BLOCK_N)."""
    inside = (tokens < V)[None, :] & (channels < J)[:, None]
    at = weight + tokens.to(tl.int64)[None, :] * J + channels[:, None]
    rows = tl.load(at, mask=inside, other=0.0)
    if _INTERPRETED:
        hidden, rows = hidden.to(tl.float32), rows.to(tl.float32)
    return tl.dot(hidden, rows, logits, input_precision="ieee")


@triton.jit  # type: ignore[untyped-decorator]
def _pick(logits: tl.tensor, chosen: tl.tensor) -> tl.tensor:
    """Return the chosen logit of each cell, (BLOCK_M,); 0 where it is not here."""
    return tl.sum(tl.where(chosen, logits, 0.0), 1)


@triton.jit  # type: ignore[untyped-decorator]
def _log_sigmoid(x: tl.tensor) -> tl.tensor:
    """Return log(sigmoid(x))."""
    return tl.minimum(x, 0.0) - tl.log(1.0 + tl.exp(-tl.abs(x)))


@triton.jit  # type: ignore[untyped-decorator]
def _tanh(x: tl.tensor) -> tl.tensor:
    """Return tanh(x), float32, to a few units in the last place.

    Triton has none for all of its targets, and 1 - exp(-2x) cancels near 0.
    """
    size = tl.abs(x)
    small = tl.exp(-2.0 * size)
    far = (1.0 - small) / (1.0 + small)
    square = x * x
    series = 2.0 / 15.0 + square * (-17.0 / 315.0 + square * (62.0 / 2835.0))
    near = x + x * square * (-1.0 / 3.0 + square * series)
    return tl.where(size < 0.3, near, tl.where(x < 0.0, -far, far))
