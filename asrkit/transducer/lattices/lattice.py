"""Forward-backward over the whole transducer lattice.

A cell (t, u) has seen t frames and u labels; the score of an utterance is the log-sum
over all paths from (0, 0) to its end, by a wavefront over anti-diagonals (regular) or
frames (monotonic): T + U or T steps, whatever the batch.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.transducer.backends import Backend, resolve
from asrkit.transducer.checks import check_arcs
from asrkit.transducer.lattices.layout import Layout, pay_blank
from asrkit.transducer.lattices.recursion import choose_scan
from asrkit.transducer.rules import Topology


@dataclass(frozen=True)
class Lattice:
    """What one forward-backward pass gives."""

    log_likelihood: Tensor
    """log P(tokens | audio), (B,); -inf where there is no path. Differentiable."""
    blank_occupation: Tensor
    """Posterior probability of every blank arc, (B, T, U + 1)."""
    label_occupation: Tensor
    """Posterior probability of every label arc, (B, T, U)."""


def lattice(
    blank_log_probs: Tensor,
    label_log_probs: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    topology: Topology | str = Topology.REGULAR,
    backend: Backend | str = Backend.AUTO,
) -> Lattice:
    """Sum over all alignments (Graves, 2012; papers of the other topologies there).

    What lies outside an utterance's lengths is ignored and has occupation 0. An
    utterance without a path has log-likelihood -inf, occupations and gradient 0.

    Args:
        blank_log_probs: log p(blank | t, u), (B, T, U + 1), float32 or float64.
        label_log_probs: log p(label u + 1 | t, u), (B, T, U).
        enc_lens: Valid frames, (B,), int64.
        token_lens: Valid labels, (B,), int64.
        topology: Which moves there are.
        backend: AUTO, TORCH or TRITON.

    Returns:
        The log-likelihood, whose gradient the occupations are, and the occupations.
        In the constrained topology the blank inside a label arc counts with the label.

    Raises:
        ValueError: An argument is out of range.
    """
    check_arcs(
        blank_log_probs, label_log_probs, enc_lens, token_lens,
        names=("blank_log_probs", "label_log_probs"),
    )  # fmt: skip
    backend = resolve(backend, blank_log_probs.device)
    arcs = blank_log_probs, label_log_probs
    return sum_paths(*arcs, enc_lens, token_lens, Topology(topology), backend)


def sum_paths(
    blank: Tensor,
    label: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    topology: Topology,
    backend: Backend,
) -> Lattice:
    """Do what `lattice` does with arguments that were checked."""
    return Lattice(
        *_LatticeFunction.apply(blank, label, enc_lens, token_lens, topology, backend)
    )


def occupy(
    blank: Tensor,
    label: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    topology: Topology,
    backend: Backend,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return log-likelihoods (B,), occupations of blank and label.

    Arguments as of `lattice`, `backend` TORCH or TRITON. Not differentiable.
    """
    _, T, U = label.shape
    # A label arc of k2's constrained topology is a label and a blank in one frame:
    # px[s, t] += py[s + 1, t] in its terms.
    if topology is Topology.CONSTRAINED:
        label = pay_blank(blank, label)
    layout = Layout(enc_lens, token_lens, T, U, topology)
    blank, label = layout.mask(blank, label)
    run = choose_scan(backend)
    paths = run(*layout.arcs(blank, label), None, layout.start)
    return layout.occupations(paths, blank, label)


class _LatticeFunction(torch.autograd.Function):
    """The gradient of the log-likelihood is the occupations."""

    @staticmethod
    def forward(
        ctx: Any,
        blank: Tensor,
        label: Tensor,
        enc_lens: Tensor,
        token_lens: Tensor,
        topology: Topology,
        backend: Backend,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return log-likelihood and occupations."""
        log_likelihood, *occupations = occupy(
            blank, label, enc_lens, token_lens, topology, backend
        )
        blank, label = occupations
        ctx.save_for_backward(blank, label)
        ctx.mark_non_differentiable(blank, label)
        ctx.topology = topology
        return log_likelihood, blank, label

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the occupations."""
        blank, label = ctx.saved_tensors
        # d log P / d log p of an arc is the arc's occupation; here blank's log-
        # probability is part of the label arc into its row, too.
        if ctx.topology is Topology.CONSTRAINED:
            blank = blank + F.pad(label, (1, 0))
        scale = gradients[0][:, None, None]
        return blank * scale, label * scale, None, None, None, None
