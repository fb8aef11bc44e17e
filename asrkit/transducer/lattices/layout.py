"""Full lattices (B, T, U + 1) laid out in steps, and their occupations.

A cell of frame t and row u stands in step t + u (regular) or t. Both are strides over
one buffer, so that laying out is one copy. Beside the B lattices stand the same ones
reversed, t' = T - 1 - t and u' = U - u, whose forward pass is their backward pass. The
batch comes last here, (T, U + 1, B): all is contiguous, and a row is above another.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.transducer.lattices.recursion import Scan
from asrkit.transducer.rules import Topology


@dataclass(frozen=True)
class Layout:
    """Where the cells of full lattices stand."""

    enc_lens: Tensor
    """(B,), int64."""
    token_lens: Tensor
    """(B,), int64."""
    T: int
    U: int
    topology: Topology

    @property
    def skew(self) -> int:
        """By how many steps a row stands after the one below."""
        return int(self.topology is Topology.REGULAR)

    @property
    def num_steps(self) -> int:
        """S."""
        return self.T + self.skew * self.U

    @property
    def end(self) -> Tensor:
        """Step after each utterance's last arc, (B,)."""
        return self.enc_lens + self.skew * self.token_lens

    @property
    def start(self) -> Tensor:
        """First cell of the lattices and of the reversed ones, (2B,)."""
        return torch.cat([torch.zeros_like(self.token_lens), self.U - self.token_lens])

    def mask(self, blank: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Set log-probabilities outside to -inf, and put the batch last.

        Args:
            blank: (B, T, U + 1).
            label: (B, T, U).

        Returns:
            (T, U + 1, B) and (T, U, B).
        """
        times = torch.arange(self.T, device=blank.device)[:, None]
        rows = torch.arange(self.U + 1, device=blank.device)[:, None]
        late = torch.where(times < self.enc_lens, 0.0, -torch.inf).to(blank.dtype)
        high = torch.where(rows <= self.token_lens, 0.0, -torch.inf).to(blank.dtype)
        outside = late[:, None] + high
        blank, label = (x.permute(1, 2, 0).contiguous() for x in (blank, label))
        return blank + outside, label + outside[:, 1:]

    def arcs(self, blank: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Lay out masked log-probabilities, twice (S, U + 1, 2B).

        An utterance's final cell carries on with log-probability 0 to the last step.
        """
        B = blank.shape[2]
        shape = self.num_steps, self.U + 1, 2 * B
        laid = blank.new_full(shape, -torch.inf), blank.new_full(shape, -torch.inf)
        # Reversed, a label arc starts where it ended: in the regular topology it
        # stands a step later than its place says.
        for steps, x, later in ((laid[0], blank, 0), (laid[1], label, self.skew)):
            self.view(steps, x.shape[1])[..., :B] = x
            self.view(steps, x.shape[1], later)[..., B:] = x.flip(0, 1)
        over = torch.arange(self.num_steps, device=blank.device)[:, None] >= self.end
        over = torch.cat([over, over.flip(0)], dim=1)[:, None]
        final = torch.cat([self.token_lens, self.U - self.token_lens])
        index = final.expand(self.num_steps, 1, -1)
        carried = laid[0].gather(1, index).masked_fill_(over, 0.0)
        laid[0].scatter_(1, index, carried)
        return laid

    def occupations(
        self, paths: Scan, blank: Tensor, label: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return log-likelihoods (B,), occupations (B, T, U + 1) and (B, T, U).

        Args:
            paths: Scan of both directions.
            blank: Masked log-probabilities, (T, U + 1, B).
            label: (T, U, B).
        """
        B, S = blank.shape[2], self.num_steps
        total = paths.total(torch.cat([self.token_lens, self.token_lens]))[:B]
        finite = total.masked_fill(total == -torch.inf, 0.0)
        # An arc's posterior: what leads to it, itself, what follows, over the total.
        # alpha(before) p(arc) beta(after) / P, as in Graves (2012), section 2.4. beta
        # is the alpha of the reversed lattice.
        offsets = paths.offsets[:S, :B] + paths.offsets[:S, B:].flip(0) - finite
        offsets = offsets.to(blank.dtype).contiguous()
        before = offsets.as_strided(blank.shape, (B, self.skew * B, 1))
        before = before + self.view(paths.scores, self.U + 1)[..., :B]
        after = self.view(paths.scores, self.U + 1)[..., B:].flip(0, 1)
        blank = exp_(after.add_(before).add_(blank))
        after = self.view(paths.scores, self.U, self.skew)[..., B:].flip(0, 1)
        label = exp_(after.add_(before[:, :-1]).add_(label))
        blank, label = (x.permute(2, 0, 1).contiguous() for x in (blank, label))
        return total.to(blank.dtype), blank, label

    def view(self, steps: Tensor, rows: int, later: int = 0) -> Tensor:
        """Look at the cells of steps (S or S + 1, U + 1, 2B), `later` steps on.

        Returns:
            (T, rows, 2B), sharing memory.
        """
        _, W, B = steps.shape
        strides = (W * B, self.skew * W * B + B, 1)
        return steps.as_strided((self.T, rows, B), strides, later * W * B)


def pay_blank(blank: Tensor, label: Tensor) -> Tensor:
    """Add the next row's blank to label arcs, as the constrained topology does.

    Args:
        blank: (B, T, W).
        label: (B, T, W - 1), or (B, T, W) in a band, where the last one is lost.
    """
    paid = blank[..., 1:]
    missing = label.shape[2] - paid.shape[2]
    return label + F.pad(paid, (0, missing), value=-torch.inf)


def exp_(x: Tensor) -> Tensor:
    """Exponentiate in place; what is below 1e-35 becomes 0.

    Numbers between that and 0 (denormal ones) take a CPU many times as long.
    """
    return F.threshold(x, -80.0, -torch.inf, inplace=True).exp_()
