"""Which cells of a batch a loss visits: the full lattice, or a pruned band."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from asrkit.transducer.backends import Backend
from asrkit.transducer.lattices.band import occupy_band
from asrkit.transducer.lattices.whole import occupy_whole
from asrkit.transducer.merged import next_labels
from asrkit.transducer.rules import Rules

Piece = tuple[int, int, int]
"""Frames t0 up to t1 of utterance b: (b, t0, t1)."""


class Cells(ABC):
    """Cells (t, u) of utterances at their true lengths.

    Args:
        tokens: (B, U), int64; padding may hold anything.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
    """

    def __init__(self, tokens: Tensor, enc_lens: Tensor, token_lens: Tensor) -> None:
        self.enc_lens = enc_lens
        self.token_lens = token_lens
        self.next_labels = next_labels(tokens, token_lens)
        self.frames, self.labels = torch.stack([enc_lens, token_lens]).tolist()

    @abstractmethod
    def width(self, b: int) -> int:
        """Return the number of rows per frame of an utterance."""

    @abstractmethod
    def rows(self, piece: Piece) -> Tensor:
        """Return the label counts u of a piece, (frames or 1, width), int64."""

    @abstractmethod
    def occupy(
        self,
        group: list[int],
        arcs: Sequence[Tensor],
        rules: Rules,
        backend: Backend,
    ) -> tuple[Tensor, ...]:
        """Run forward-backward over a group's padded arcs.

        Args:
            group: Utterances, G.
            arcs: Log-probabilities of blank, label and durations, (G, T, W) each.
            rules: How they make paths.
            backend: TORCH or TRITON.

        Returns:
            Log-likelihoods (G,), occupations of all arcs, (G, T, W) each.
        """

    @abstractmethod
    def spread(self, piece: Piece, gradient: Tensor, d_pred: Tensor) -> None:
        """Add a piece's gradient (frames, width, J) to that of pred (B, U + 1, J)."""

    def size(self, b: int) -> int:
        """Return an utterance's number of cells."""
        return self.frames[b] * self.width(b)

    def index(self, piece: Piece) -> Tensor:
        """Return the next label's id of every cell of a piece, (cells,)."""
        b, t0, t1 = piece
        index = self.next_labels[b][self.rows(piece)]
        return index.expand(t1 - t0, -1).reshape(-1)

    def join(self, piece: Piece, enc: Tensor, pred: Tensor, out: Tensor) -> None:
        """Write enc + pred of every cell of a piece to `out` (cells, J)."""
        b, t0, t1 = piece
        left = enc[b, t0:t1, None].to(out.dtype)
        right = self.gather(piece, pred[b]).to(out.dtype)
        torch.add(left, right, out=out.view(t1 - t0, self.width(b), out.shape[1]))

    @abstractmethod
    def gather(self, piece: Piece, pred: Tensor) -> Tensor:
        """Pick a piece's rows of pred (U + 1, J): (frames or 1, width, J)."""


class FullCells(Cells):
    """All cells of the lattice."""

    def width(self, b: int) -> int:
        """Return U + 1."""
        return int(self.labels[b]) + 1

    def rows(self, piece: Piece) -> Tensor:
        """Return 0 to U."""
        return self._counts[None, : self.width(piece[0])]

    @cached_property
    def _counts(self) -> Tensor:
        """Count from 0 to the longest U."""
        return torch.arange(self.next_labels.shape[1], device=self.next_labels.device)

    def gather(self, piece: Piece, pred: Tensor) -> Tensor:
        """Take all rows."""
        return pred[None, : self.width(piece[0])]

    def spread(self, piece: Piece, gradient: Tensor, d_pred: Tensor) -> None:
        """Sum over frames."""
        b = piece[0]
        d_pred[b, : self.width(b)] += gradient.sum(dim=0)

    def occupy(
        self,
        group: list[int],
        arcs: Sequence[Tensor],
        rules: Rules,
        backend: Backend,
    ) -> tuple[Tensor, ...]:
        """Run the full lattice."""
        return occupy_whole(
            *arcs,
            enc_lens=self.enc_lens[group],
            token_lens=self.token_lens[group],
            rules=rules,
            backend=backend,
        )


class BandCells(Cells):
    """The band of a pruned lattice.

    Args:
        tokens: As of `Cells`.
        enc_lens: As of `Cells`.
        token_lens: As of `Cells`.
        ranges: As of `prune_ranges`, (B, T, R), int64.
        allowed: Cells that may emit their next label, (B, T, R), bool; None: all.
    """

    def __init__(
        self,
        tokens: Tensor,
        enc_lens: Tensor,
        token_lens: Tensor,
        ranges: Tensor,
        allowed: Tensor | None,
    ) -> None:
        super().__init__(tokens, enc_lens, token_lens)
        self.ranges = ranges
        self.allowed = allowed

    def width(self, b: int) -> int:
        """Return R."""
        return self.ranges.shape[2]

    def rows(self, piece: Piece) -> Tensor:
        """Return the band."""
        b, t0, t1 = piece
        return self.ranges[b, t0:t1]

    def gather(self, piece: Piece, pred: Tensor) -> Tensor:
        """Pick the band's rows."""
        return pred[self.rows(piece)]

    def spread(self, piece: Piece, gradient: Tensor, d_pred: Tensor) -> None:
        """Sum over the frames whose band holds a row, as a product with 0 and 1."""
        rows = self.rows(piece).reshape(-1)
        chosen = torch.nn.functional.one_hot(rows, d_pred.shape[1])
        d_pred[piece[0]] += chosen.to(gradient.dtype).T @ gradient.flatten(0, 1)

    def occupy(
        self,
        group: list[int],
        arcs: Sequence[Tensor],
        rules: Rules,
        backend: Backend,
    ) -> tuple[Tensor, ...]:
        """Run the pruned lattice."""
        blank, label = arcs
        frames = blank.shape[1]
        allowed = None if self.allowed is None else self.allowed[group, :frames]
        return occupy_band(
            blank,
            label,
            self.ranges[group, :frames],
            self.enc_lens[group],
            self.token_lens[group],
            rules.topology,
            self.next_labels.shape[1] - 1,
            backend,
            allowed,
        )
