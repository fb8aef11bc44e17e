"""A model of peak memory: a few terms of a batch's lengths, and measured factors."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from asrkit.losses.criterion import CELL_NUMBERS, LossConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.pipeline.memory.shapes import Shape

Terms = tuple[float, ...]
"""Of peak memory."""

_NOISE = 0.02  # relative, of a measurement


@dataclass(frozen=True)
class Costs:
    """What a criterion computes: it decides which lengths matter how much."""

    loss: LossConfig
    vocab_size: int
    """V, and what durations add to it."""
    joiner_dim: int
    """J."""

    @classmethod
    def of(cls, loss: LossConfig, joiner: JoinerConfig, vocab_size: int) -> "Costs":
        """Count what a loss keeps of a joiner's outputs."""
        # Each duration is a logit of a cell, and as many arcs as a plain lattice has.
        durations = len(joiner.durations) * (1 + CELL_NUMBERS)
        return cls(loss, vocab_size + durations, joiner.dim)

    def terms(self, shape: Shape) -> Terms:
        """Return what peak memory is a sum of, up to factors.

        A constant (weights, their average, optimizer, checkpoint, tiles); frames (the
        encoder's activations, and all that has a fixed size a frame: CTC, projections,
        a band of R labels); the numbers of the lattice.
        """
        return (1.0, float(shape.B * shape.T), self.lattice(shape))

    def lattice(self, shape: Shape) -> float:
        """Return the numbers that are kept for cells of the lattice at a time."""
        return self.loss.lattice_numbers(shape, self.vocab_size, self.joiner_dim)

    def worst(self, shapes: Iterable[Shape]) -> Terms:
        """Return the largest of each term."""
        return tuple(map(max, zip(*map(self.terms, shapes), strict=True)))


@dataclass(frozen=True)
class Measured:
    """What updates have taken at their peak."""

    terms: Terms
    bytes: float


@dataclass(frozen=True)
class MemoryModel:
    """Predicts peak memory."""

    factors: Terms
    """Bytes of one unit of each term."""

    def predict(self, terms: Terms) -> float:
        """Return bytes."""
        return sum(f * x for f, x in zip(self.factors, terms, strict=True))


def fit(measured: Sequence[Measured]) -> MemoryModel:
    """Choose factors, none negative, with the least squared relative error.

    With so few terms every choice of those that count is tried; one more has to make
    the error smaller by more than what two measurements of the same differ by.
    """
    rows = torch.tensor([one.terms for one in measured], dtype=torch.float64)
    target = torch.tensor([one.bytes for one in measured], dtype=torch.float64)
    scale = rows.amax(dim=0).clamp(min=1.0)
    relative = rows / scale / target[:, None]
    best, least = torch.zeros_like(scale), float("inf")
    for size in range(1, min(len(scale), len(measured)) + 1):
        for chosen in map(list, itertools.combinations(range(len(scale)), size)):
            columns = relative[:, chosen]
            ones = torch.ones(len(target), 1, dtype=torch.float64)
            solution = torch.linalg.lstsq(columns, ones).solution
            error = float((columns @ solution - ones).square().sum())
            error += size * _NOISE**2
            if bool((solution >= 0).all()) and error < least:
                least, best = error, torch.zeros_like(scale)
                best[chosen] = solution[:, 0]
    return MemoryModel(tuple((best / scale).tolist()))
