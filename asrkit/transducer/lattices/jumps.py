"""Forward-backward over lattices whose arcs jump over frames (TDT).

Xu et al., "Efficient sequence transduction by jointly predicting tokens and durations",
ICML 2023 (arXiv 2304.06795): a cell (t, u) has a distribution of tokens and one of
durations d. Blank leads to (t + d, u) and needs d > 0, a label to (t + d, u + 1); the
last arc is a blank that lands on the end. Cells of equal t + u are a step, as in the
regular topology; a step looks back as far as the longest duration. Beside the B
lattices stand the same ones reversed, whose forward pass is their backward pass, as in
`layout`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from asrkit.transducer.lattices.jump_sums import show_jumps
from asrkit.transducer.lattices.layout import Layout, exp_
from asrkit.transducer.lattices.recursion import RENORMALIZE
from asrkit.transducer.rules import Rules, Topology


@dataclass(frozen=True)
class JumpArcs:
    """The arcs of B lattices, a tensor for each duration, the batch last.

    An arc that does not exist is -inf.
    """

    durations: Sequence[int]
    stay: list[Tensor]
    """Log-scores of blanks, (T, U + 1, B) each."""
    move: list[Tensor]
    """Log-scores of labels, (T, U, B) each."""
    layout: Layout
    """Lengths."""

    @classmethod
    def join(
        cls, arcs: Sequence[Tensor], enc_lens: Tensor, token_lens: Tensor, rules: Rules
    ) -> "JumpArcs":
        """Add up tokens and durations; arguments as of `occupy_jumps`."""
        _, T, W = arcs[0].shape
        layout = Layout(enc_lens, token_lens, T, W - 1, Topology.REGULAR)
        blank, label = layout.mask(arcs[0], arcs[1][..., :-1])
        left = enc_lens - torch.arange(T, device=enc_lens.device)[:, None, None]
        stay, move = [], []
        for d, log_probs in zip(rules.durations, arcs[2:], strict=True):
            q = log_probs.permute(1, 2, 0) - rules.sigma
            there = (left >= d) if d else torch.zeros_like(left, dtype=torch.bool)
            stay.append((blank + q).masked_fill_(~there, -torch.inf))
            move.append((label + q[:, :-1]).masked_fill_(left <= d, -torch.inf))
        return cls(rules.durations, stay, move, layout)

    def forward(self) -> Tensor:
        """Lay the arcs out by the cell that they lead to, (S, 2Q, U + 1, B).

        Blanks of each duration, then labels. An utterance's final cell carries on with
        log-score 0 to the last step.
        """
        laid = self._room(1)
        self._lay_forward(laid)
        return laid[: self.layout.num_steps]

    def both_ways(self) -> Tensor:
        """Do the same with the reversed lattices behind, (S, 2Q, U + 1, 2B)."""
        B = self.stay[0].shape[2]
        laid = self._room(2)
        self._lay_forward(laid[..., :B])
        self._lay_reversed(laid[..., B:])
        return laid[: self.layout.num_steps]

    def _room(self, ways: int) -> Tensor:
        """Return (S and more, 2Q, U + 1, ways x B) without arcs."""
        _, W, B = self.stay[0].shape
        # Steps behind the last: where arcs would land that do not exist.
        steps = self.layout.num_steps + max(self.durations)
        shape = steps, 2 * len(self.durations), W, ways * B
        return self.stay[0].new_full(shape, -torch.inf)

    def _lay_forward(self, laid: Tensor) -> None:
        (T, W, _), Q = self.stay[0].shape, len(self.durations)
        for i, d in enumerate(self.durations):
            if d:
                _diagonals(laid[:, i], T, W, d - 1)[:] = self.stay[i]
            _diagonals(laid[:, Q + i], T, W - 1, d, 1)[:] = self.move[i]
        self._carry_on(laid, self._over(), self.layout.token_lens)

    def _lay_reversed(self, laid: Tensor) -> None:
        (T, W, _), Q = self.stay[0].shape, len(self.durations)
        for i, d in enumerate(self.durations):
            if d:
                _diagonals(laid[:, i], T, W)[:] = self.stay[i].flip(0, 1)
            _diagonals(laid[:, Q + i], T, W - 1, 1, 1)[:] = self.move[i].flip(0, 1)
        self._carry_on(laid, self._over().flip(0), W - 1 - self.layout.token_lens)

    def _over(self) -> Tensor:
        """Say which steps are behind an utterance's last, (S, B)."""
        steps = torch.arange(self.layout.num_steps, device=self.layout.end.device)
        return steps[:, None] >= self.layout.end

    def _carry_on(self, laid: Tensor, over: Tensor, row: Tensor) -> None:
        """Let a row (B,) go on by blanks of one frame in steps (S, B)."""
        S, B = over.shape
        index = row.expand(S, 1, B)
        by_one = laid[:S, self.durations.index(1)]
        carried = by_one.gather(1, index).masked_fill_(over[:, None], 0.0)
        by_one.scatter_(1, index, carried)


@dataclass(frozen=True)
class JumpScan:
    """Scores of all cells: the log-sum (or best) over the paths into each."""

    scores: Tensor
    """(P + S + 1, 1 + W, B): P empty steps and one empty row stand before the first;
    relative to `offsets`."""
    offsets: Tensor
    """(P + S + 1, B), float64."""
    P: int

    def total(self, final: Tensor) -> Tensor:
        """Return the scores of the final cells, at rows `final` (B,); (B,), float64."""
        last = self.scores[-1].gather(0, final[None] + 1).squeeze(0)
        return last.double() + self.offsets[-1]

    def cells(self, T: int, rows: int, step: int = 0) -> Tensor:
        """Look at the scores of cells, `step` steps on: (T, rows, B)."""
        return _diagonals(self.scores, T, rows, self.P + step, 1)


Combine = Callable[..., Tensor]
"""torch.logsumexp sums over paths, torch.amax finds the best."""


def scan_jumps(
    arcs: Tensor,
    durations: Sequence[int],
    start: Tensor,
    combine: Combine = torch.logsumexp,
) -> JumpScan:
    """Run the recursion.

    Args:
        arcs: As of `JumpArcs.forward`, (S, 2Q, W, B).
        durations: Q of them.
        start: Row of the first cell, (B,), int64.
        combine: Joins the 2Q ways into a cell.
    """
    S, ways, W, B = arcs.shape
    Q, P = ways // 2, max(durations) + 1
    scores = arcs.new_full((P + S + 1, 1 + W, B), -torch.inf)
    scores[P, 1:].scatter_(0, start[None], 0.0)
    offsets = scores.new_zeros((len(scores), B), dtype=torch.float64)
    steps = torch.arange(P + 1, P + S + 1, device=arcs.device)[:, None]
    source = steps - torch.tensor(durations, device=arcs.device)
    into = torch.empty_like(arcs[0])
    # alpha(t, u) sums alpha(t - d, u) blank(t - d, u) q(d | t - d, u) and
    # alpha(t - d, u - 1) label(t - d, u - 1) q(d | t - d, u - 1) over d (Xu et al.,
    # 2023), here for a whole step.
    for step, (here, before, arc) in enumerate(
        zip(source.unbind(), (source - 1).unbind(), arcs.unbind(), strict=True)
    ):
        torch.add(scores.index_select(0, here)[:, 1:], arc[:Q], out=into[:Q])
        torch.add(scores.index_select(0, before)[:, :-1], arc[Q:], out=into[Q:])
        combine(into, 0, out=scores[P + step + 1, 1:])
        # As in `recursion.scan`; what later steps look back on has one offset.
        if step % RENORMALIZE == RENORMALIZE - 1:
            seen = scores[step + 2 : P + step + 2]
            largest = seen.amax(dim=(0, 1)).clamp_(min=-1e30)
            seen.sub_(largest)
            offsets[step + 2] = largest
    return JumpScan(scores, offsets.cumsum_(0), P)


def occupy_jumps(
    arcs: Sequence[Tensor], enc_lens: Tensor, token_lens: Tensor, rules: Rules
) -> tuple[Tensor, ...]:
    """Sum over all paths.

    Args:
        arcs: Log-probabilities of blank, of the next label, and of each duration,
            (B, T, U + 1) each.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        rules: Durations and sigma.

    Returns:
        Log-likelihoods (B,), -inf where there is no path, and their derivatives by
        `arcs`, (B, T, U + 1) each: posterior probabilities of tokens and durations.
    """
    B = len(enc_lens)
    joined = JumpArcs.join(arcs, enc_lens, token_lens, rules)
    paths = scan_jumps(joined.both_ways(), rules.durations, joined.layout.start)
    total = paths.total(torch.cat([token_lens, token_lens]))[:B]
    finite = total.masked_fill(total == -torch.inf, 0.0)
    blank, label, *by_duration = (torch.zeros_like(joined.stay[0]) for _ in arcs)
    for i, d in enumerate(rules.durations):
        if d:
            stays = _posterior(paths, joined.stay[i], joined.layout, d, d, finite)
            blank += stays
            by_duration[i] += stays
        moves = _posterior(paths, joined.move[i], joined.layout, d, d + 1, finite)
        label[:, :-1] += moves
        by_duration[i][:, :-1] += moves
    found = [x.permute(2, 0, 1).contiguous() for x in (blank, label, *by_duration)]
    show_jumps(arcs, found, rules)
    return total.to(blank.dtype), *found


def _posterior(
    paths: JumpScan, arc: Tensor, layout: Layout, d: int, steps: int, total: Tensor
) -> Tensor:
    """Return the posterior probability of arcs (T, rows, B) that take some steps."""
    T, rows, B = arc.shape
    S, P = layout.num_steps, paths.P
    # What leads to an arc, itself, what follows, over the total. A cell of step n is in
    # step S - n of the reversed lattice.
    ahead = paths.offsets[P + 1 - steps : P + 1 - steps + S, B:].flip(0)
    offsets = (paths.offsets[P : P + S, :B] + ahead - total).to(arc.dtype)
    before = paths.cells(T, rows)[..., :B]
    after = paths.cells(T, rows, 1 - d)[..., B:].flip(0, 1)
    gained = offsets.contiguous().as_strided(arc.shape, (B, B, 1))
    return exp_(after.add_(before).add_(arc).add_(gained))


def _diagonals(x: Tensor, T: int, rows: int, step: int = 0, row: int = 0) -> Tensor:
    """Look at the cells (t, u) of steps (S, W, B), cell (0, 0) at a step and row.

    Returns:
        (T, rows, B), sharing memory.
    """
    by_step, by_row, _ = x.stride()
    start = x.storage_offset() + step * by_step + row * by_row
    shape = (T, rows, x.shape[2])
    return x.as_strided(shape, (by_step, by_step + by_row, 1), start)
