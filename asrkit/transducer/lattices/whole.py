"""Forward-backward over whole lattices, with arcs as losses have them."""

import torch.nn.functional as F
from torch import Tensor

from asrkit.transducer.backends import Backend
from asrkit.transducer.lattices.jumps import occupy_jumps
from asrkit.transducer.lattices.lattice import occupy
from asrkit.transducer.rules import Rules


def occupy_whole(
    *arcs: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    rules: Rules,
    backend: Backend,
) -> tuple[Tensor, ...]:
    """Sum over all alignments.

    Args:
        arcs: Log-probabilities of blank, of the next label (the last row has none), and
            of each duration, (B, T, U + 1) each.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        rules: How they make paths.
        backend: TORCH or TRITON; durations are computed by torch.

    Returns:
        Log-likelihoods (B,), and occupations of `arcs`, (B, T, U + 1) each.
    """
    if rules.durations:
        return occupy_jumps(arcs, enc_lens, token_lens, rules)
    blank, label = arcs
    lens = enc_lens, token_lens
    total, blank, label = occupy(blank, label[..., :-1], *lens, rules.topology, backend)
    return total, blank, F.pad(label, (0, 1))
