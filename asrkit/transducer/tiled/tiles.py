"""The exact loss and its gradient from projections, a tile of cells at a time.

The joiner is weight @ tanh(enc_proj + pred_proj) + bias. Pass 1 evaluates it tile by
tile and keeps two numbers a cell, the log-probabilities of blank and of the next
label, and one for each duration; the lattice runs on those; pass 2 has each tile's
logits again and turns them into gradients in place. Logits are kept from pass 1 to pass
2 where a group's fit the budget, and computed a second time where they do not.
Sample-wise computation (Braun, McDermott and Hsiao, ICASSP 2023, arXiv 2211.16270) is
the case of groups that are always kept. Utterances may have an output layer each (a
sampled vocabulary's rows): no tile then holds cells of two.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from asrkit.transducer.arcs import arc_log_probs, logit_gradient
from asrkit.transducer.backends import Backend
from asrkit.transducer.rules import Rules
from asrkit.transducer.tiled.cells import Cells, Piece


@dataclass(frozen=True)
class Budget:
    """How many cells are looked at together."""

    tile: int
    """Cells of a tile: one matrix product."""
    keep: int
    """Cells of a group whose logits are kept."""
    group: int
    """Cells of a group whose logits are computed twice: one pass over a lattice."""
    keep_larger: bool = False
    """Keep the logits of an utterance larger than `keep`, too, in its own group."""

    def groups(self, cells: Cells) -> Iterator[tuple[list[int], bool]]:
        """Yield groups of utterances of like size; whether their logits are kept."""
        size, width = cells.size, cells.width
        order = sorted(range(len(cells.frames)), key=lambda b: (width(b), size(b)))
        limit = 2**62 if self.keep_larger else self.keep
        small = [b for b in order if size(b) <= limit]
        large = [b for b in order if size(b) > limit]
        for group in _pack(small, cells, self.keep):
            yield group, True
        for group in _pack(large, cells, self.group):
            yield group, False

    def tiles(self, cells: Cells, group: list[int]) -> Iterator[list[Piece]]:
        """Cut a group into tiles: whole utterances, or frames of one."""
        for part in _pack(group, cells, self.tile):
            if len(part) > 1 or cells.size(part[0]) <= self.tile:
                yield [(b, 0, cells.frames[b]) for b in part]
                continue
            b = part[0]
            pieces = -(-cells.size(b) // self.tile)
            step = max(1, -(-cells.frames[b] // pieces))
            for t0 in range(0, cells.frames[b], step):
                yield [(b, t0, min(t0 + step, cells.frames[b]))]


def tile_cells(enc_proj: Tensor, weight: Tensor) -> int:
    """Choose the cells of a tile: what fits a CPU's cache, much more on a GPU."""
    # A tile holds V logits, J hidden values and J gradients of each cell. On a CPU the
    # second product should find them in the cache; a GPU wants large products.
    limit = 128 * 2**20 if enc_proj.is_cuda else 4 * 2**20  # bytes
    V, J = weight.shape[-2:]
    size = torch.promote_types(enc_proj.dtype, torch.float32).itemsize
    return max(64, limit // (size * (V + 2 * J)))


def _pack(order: list[int], cells: Cells, limit: int) -> Iterator[list[int]]:
    """Yield runs of utterances of at most `limit` cells; a larger one stands alone."""
    run: list[int] = []
    total = 0
    for b in order:
        if run and total + cells.size(b) > limit:
            yield run
            run, total = [], 0
        run.append(b)
        total += cells.size(b)
    if run:
        yield run


@dataclass
class TileGradients:
    """Where gradients are summed, in float32 or better."""

    enc: Tensor
    """(B, T, J)."""
    pred: Tensor
    """(B, U + 1, J)."""
    weight: Tensor
    """(V, J), or (B, V, J)."""
    bias: Tensor
    """(V,), or (B, V)."""


@dataclass
class TiledLoss:
    """Computes a batch's losses and, if asked, their gradient.

    Args:
        cells: Which cells.
        enc: enc_proj, (B, T, J).
        pred: pred_proj, (B, U + 1, J).
        weight: (V + Q, J) with Q durations, or (B, V, J) with rows for each utterance;
            float32 or better.
        bias: Like it, without J.
        rules: How logits become scores.
        backend: TORCH or TRITON, for the lattice.
        scale: What each utterance's gradient is multiplied by, (B,).
        gradients: Where they are added; None when only losses are wanted.
    """

    cells: Cells
    enc: Tensor
    pred: Tensor
    weight: Tensor
    bias: Tensor
    rules: Rules
    backend: Backend
    scale: Tensor
    gradients: TileGradients | None
    _buffers: dict[str, Tensor] = field(default_factory=dict)

    def run(self, budget: Budget) -> Tensor:
        """Return the losses, (B,); +inf where there is no path."""
        losses = self.weight.new_zeros(len(self.cells.frames))
        for group, keep in budget.groups(self.cells):
            runs = [group] if self.weight.ndim == 2 else [[b] for b in group]
            tiles = [tile for run in runs for tile in budget.tiles(self.cells, run)]
            losses[group] = self.group(group, tiles, keep=keep)
        return losses

    def rows(self, pieces: list[Piece], tensor: Tensor) -> Tensor:
        """Pick a tile's part of what is like weight (V, J) or bias (V,)."""
        return tensor if self.weight.ndim == 2 else tensor[pieces[0][0]]

    def group(
        self, group: list[int], tiles: list[list[Piece]], *, keep: bool
    ) -> Tensor:
        """Return a group's losses, (G,), and add its gradient."""
        cells = self.cells
        place = {b: g for g, b in enumerate(group)}
        frames = max(cells.frames[b] for b in group)
        shape = len(group), frames, max(cells.width(b) for b in group)
        blank = self.weight.new_full(shape, -torch.inf)
        label, normalizer = blank.clone(), torch.zeros_like(blank)
        jumps = [blank.clone() for _ in self.rules.durations]
        numbers = blank, label, normalizer, *jumps
        kept: list[Tensor | None] = []
        keep = keep and self.gradients is not None
        for pieces in tiles:
            arcs, logits = self.forward_tile(pieces, keep=keep)
            for target, values in zip(numbers, arcs, strict=True):
                _scatter(target, pieces, values, place, cells)
            kept.append(logits)
        label = self.rules.penalize(label, cells.enc_lens[group])
        total, *arcs_found = cells.occupy(
            group, (blank, label, *jumps), self.rules, self.backend
        )
        if self.gradients is not None:
            scale = self.scale[group, None, None]
            by_arc = self.rules.arc_gradients(*(arc * scale for arc in arcs_found))
            for pieces, logits in zip(tiles, kept, strict=True):
                rows = [_gather(x, pieces, place, cells) for x in (normalizer, *by_arc)]
                self.backward_tile(pieces, logits, rows, self.gradients)
        return -total

    def forward_tile(
        self, pieces: list[Piece], *, keep: bool
    ) -> tuple[tuple[Tensor, ...], Tensor | None]:
        """Return what `arc_log_probs` does, (n,) each.

        And the logits (n, V + Q), if they are to be kept.
        """
        logits = self.logits(pieces, self.hidden(pieces), keep=keep)
        arcs = arc_log_probs(logits, self.index(pieces), self.rules)
        return arcs, logits if keep else None

    def index(self, pieces: list[Piece]) -> Tensor:
        """Return the next label's id of every cell of a tile, (n,)."""
        return torch.cat([self.cells.index(piece) for piece in pieces])

    def sizes(self, pieces: list[Piece]) -> list[int]:
        """Return the number of cells of each piece."""
        return [(t1 - t0) * self.cells.width(b) for b, t0, t1 in pieces]

    def hidden(self, pieces: list[Piece]) -> Tensor:
        """Return tanh(enc_proj + pred_proj) of a tile's cells, (n, J)."""
        sizes = self.sizes(pieces)
        hidden = self.memory("hidden", sum(sizes), self.weight.shape[-1])
        for piece, part in zip(pieces, hidden.split(sizes), strict=True):
            self.cells.join(piece, self.enc, self.pred, part)
        return hidden.tanh_()

    def logits(self, pieces: list[Piece], hidden: Tensor, *, keep: bool) -> Tensor:
        """Return the joiner's output (n, V + Q), in new memory if it is to be kept."""
        weight, bias = (self.rows(pieces, x) for x in (self.weight, self.bias))
        shape = len(hidden), len(weight)
        out = weight.new_empty(shape) if keep else self.memory("logits", *shape)
        return torch.addmm(bias, hidden, weight.T, out=out)

    def backward_tile(
        self,
        pieces: list[Piece],
        logits: Tensor | None,
        rows: list[Tensor],
        gradients: TileGradients,
    ) -> None:
        """Add a tile's gradient.

        Args:
            pieces: Of the tile.
            logits: If they were kept, (n, V + Q); overwritten.
            rows: Normalizers, derivatives by blank, label and durations, (n,) each.
            gradients: Where it is added.
        """
        hidden = self.hidden(pieces)
        # Twice the output's product in place of O(cells V) memory: four products of
        # this size a cell where keeping logits takes three.
        if logits is None:
            logits = self.logits(pieces, hidden, keep=False)
        gradient = logit_gradient(
            logits, rows[0], self.index(pieces), rows[1:], self.rules, out=logits
        )  # fmt: skip
        self.rows(pieces, gradients.weight).addmm_(gradient.T, hidden)
        self.rows(pieces, gradients.bias).add_(gradient.sum(dim=0))
        d_hidden = self.memory("d_hidden", *hidden.shape)
        torch.mm(gradient, self.rows(pieces, self.weight), out=d_hidden)
        # d tanh(x) = 1 - tanh(x)^2: the hidden values are enough, their inputs gone.
        torch.ops.aten.tanh_backward.grad_input(d_hidden, hidden, grad_input=d_hidden)
        self.spread(pieces, d_hidden, gradients)

    def spread(
        self, pieces: list[Piece], d_hidden: Tensor, gradients: TileGradients
    ) -> None:
        """Sum a tile's gradient (n, J) over rows for enc, over frames for pred."""
        parts = d_hidden.split(self.sizes(pieces))
        for piece, part in zip(pieces, parts, strict=True):
            b, t0, t1 = piece
            part = part.view(t1 - t0, self.cells.width(b), part.shape[1])
            gradients.enc[b, t0:t1] += part.sum(dim=1)
            self.cells.spread(piece, part, gradients.pred)

    def memory(self, name: str, rows: int, columns: int) -> Tensor:
        """Return (rows, columns) of uninitialised memory that is used again."""
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < rows:
            buffer = self._buffers[name] = self.weight.new_empty((rows, columns))
        return buffer[:rows]


def _scatter(
    target: Tensor,
    pieces: Iterable[Piece],
    values: Tensor,
    place: dict[int, int],
    cells: Cells,
) -> None:
    """Write a tile's values (n,) into a group's padded (G, T, W)."""
    start = 0
    for b, t0, t1 in pieces:
        width = cells.width(b)
        part = values[start : start + (t1 - t0) * width]
        target[place[b], t0:t1, :width] = part.view(t1 - t0, width)
        start += len(part)


def _gather(
    source: Tensor, pieces: Iterable[Piece], place: dict[int, int], cells: Cells
) -> Tensor:
    """Undo `_scatter`: return a tile's values, (n,)."""
    return torch.cat(
        [source[place[b], t0:t1, : cells.width(b)].reshape(-1) for b, t0, t1 in pieces]
    )
