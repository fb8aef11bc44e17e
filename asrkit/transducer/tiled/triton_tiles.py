"""The tiled loss with Triton's kernels for the joiner."""

from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.transducer.arcs import duration_gradient, duration_log_probs
from asrkit.transducer.kernels.joiner import (
    JoinerTensors,
    TileRows,
    arc_log_probs,
    evaluate_hidden,
    logit_gradient,
)
from asrkit.transducer.tiled.cells import Piece
from asrkit.transducer.tiled.tiles import TiledLoss, TileGradients


class TritonTiledLoss(TiledLoss):
    """Pass 1 writes no logits, pass 2 only their gradient.

    Matrix products take bfloat16 operands where enc_proj is bfloat16. Float64 is left
    to torch.
    """

    def forward_tile(
        self, pieces: list[Piece], *, keep: bool
    ) -> tuple[tuple[Tensor, ...], Tensor | None]:
        """Return what `TiledLoss.forward_tile` does; never keeps logits."""
        if self.weight.dtype == torch.float64:
            return super().forward_tile(pieces, keep=keep)
        joiner, places = self._joiner(pieces), self._places(pieces)
        arcs: tuple[Tensor, ...] = arc_log_probs(joiner, places, self.rules)
        if self.rules.durations:
            logits = self._durations(evaluate_hidden(joiner, places))
            arcs = *arcs, *duration_log_probs(logits)
        return arcs, None

    def backward_tile(
        self,
        pieces: list[Piece],
        logits: Tensor | None,
        rows: list[Tensor],
        gradients: TileGradients,
    ) -> None:
        """Add a tile's gradient; arguments as of `TiledLoss.backward_tile`."""
        if self.weight.dtype == torch.float64:
            return super().backward_tile(pieces, logits, rows, gradients)
        joiner, places = self._joiner(pieces), self._places(pieces)
        hidden = evaluate_hidden(joiner, places)
        gradient = logit_gradient(joiner, hidden, places.index, rows[:3], self.rules)
        V = len(joiner.weight)
        weight, bias = (
            self.rows(pieces, x)[:V] for x in (gradients.weight, gradients.bias)
        )
        weight.add_(_multiply(gradient.T, hidden))
        bias.add_(gradient.sum(dim=0, dtype=torch.float32))
        d_hidden = _multiply(gradient, joiner.weight)
        del gradient  # before the sums below ask for memory
        if self.rules.durations:
            logits, wide = self._durations(hidden), hidden.float()
            gradient = duration_gradient(logits, rows[3:], out=logits)
            gradients.weight[V:].addmm_(gradient.T, wide)
            gradients.bias[V:].add_(gradient.sum(dim=0))
            d_hidden.addmm_(gradient, self.weight[V:])
        torch.ops.aten.tanh_backward.grad_input(d_hidden, hidden, grad_input=d_hidden)
        self.spread(pieces, d_hidden, gradients)

    def _joiner(self, pieces: list[Piece]) -> JoinerTensors:
        """Return what a tile's joiner consists of."""
        enc, pred, weight, bias = self._operands
        rows = self.rows(pieces, weight), self.rows(pieces, bias)[: self._num_tokens]
        return JoinerTensors(enc, pred, *rows)

    @cached_property
    def _operands(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Lay the joiner's tokens out for kernels, once for all tiles."""
        operand = torch.bfloat16 if self.enc.dtype == torch.bfloat16 else torch.float32
        V = self._num_tokens
        # Kernels are compiled anew for pointers less aligned than to 16 bytes, such as
        # those to an utterance's part of a bias whose rows are of any length.
        bias = F.pad(self.bias[..., :V], (0, -V % 4))
        return (
            self.enc.reshape(-1, self.enc.shape[2]).contiguous(),
            self.pred.reshape(-1, self.pred.shape[2]).contiguous(),
            self.weight[..., :V, :].to(operand).contiguous(),
            bias.contiguous(),
        )

    @property
    def _num_tokens(self) -> int:
        """V, the outputs that are no durations."""
        return self.weight.shape[-2] - len(self.rules.durations)

    def _durations(self, hidden: Tensor) -> Tensor:
        """Return the logits of durations, (n, Q), float32, of hidden (n, J)."""
        V = self._num_tokens
        return torch.addmm(self.bias[V:], hidden.float(), self.weight[V:].T)

    def _places(self, pieces: list[Piece]) -> TileRows:
        """Find the rows of a tile's cells."""
        T, rows = self.enc.shape[1], self.pred.shape[1]
        enc, pred = [], []
        for piece in pieces:
            b, t0, t1 = piece
            counts = self.cells.rows(piece).expand(t1 - t0, -1)
            frames = torch.arange(t0, t1, device=counts.device)
            enc.append((b * T + frames)[:, None].expand_as(counts).flatten())
            pred.append((b * rows + counts).flatten())
        places = torch.cat(enc), torch.cat(pred), self.index(pieces)
        return TileRows(*(x.to(torch.int32) for x in places))


def _multiply(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b in float32, which is what it is summed in."""
    if a.dtype == torch.float32:
        return a @ b
    if a.is_cuda:
        return torch.mm(a, b, out_dtype=torch.float32)
    return a.float() @ b.float()
