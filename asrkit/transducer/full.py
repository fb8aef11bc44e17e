"""The exact transducer loss from logits over the whole lattice."""

from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from asrkit.transducer.backends import Backend, resolve
from asrkit.transducer.checks import check_lattice_input
from asrkit.transducer.lattices.lattice import occupy
from asrkit.transducer.merged import merged_losses, next_labels
from asrkit.transducer.peers import peer_losses
from asrkit.transducer.rules import (
    Impossible,
    Reduction,
    Rules,
    Topology,
    reduce_losses,
)


def transducer_loss(
    logits: Tensor,
    tokens: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    blank_id: int = 0,
    topology: Topology | str = Topology.REGULAR,
    reduction: Reduction | str = Reduction.SUM,
    delay_penalty: float = 0.0,
    fastemit: float = 0.0,
    hat: bool = False,
    impossible: Impossible | str = Impossible.ZERO,
    backend: Backend | str = Backend.AUTO,
    reuse_logits: bool = False,
) -> Tensor:
    """Negative log-likelihood of the transcripts, summed over all alignments.

    Computed in float32 or better, whatever the type of `logits`. What lies outside an
    utterance's lengths changes nothing and gets gradient 0.

    Args:
        logits: Joiner output, (B, T, U + 1, V), unnormalised.
        tokens: Transcripts, (B, U), int64, without blank in the first `token_lens`.
        enc_lens: Valid frames, (B,), int64.
        token_lens: Valid labels, (B,), int64.
        blank_id: Token id of blank.
        topology: Which moves the lattice allows.
        reduction: "sum", "mean" (over utterances) or "none".
        delay_penalty: Added to a label's score at frame t, times (T - 1) / 2 - t:
            later labels cost more (Kang et al., 2022, arXiv 2211.00490).
        fastemit: Share by which gradients through labels grow; the loss's value stays
            (Yu et al., 2021, arXiv 2010.11148).
        hat: Blank is the sigmoid of its logit, the labels are a softmax of theirs
            times the rest (Variani et al., 2020, arXiv 2003.07705).
        impossible: Loss of an utterance without a path, "zero" or "inf".
        backend: Who computes it.
        reuse_logits: Write the gradient over `logits`, which then hold no logits after
            the backward pass: saves a tensor of their size (float32 and float64).

    Returns:
        A scalar, or (B,) with reduction "none".

    Raises:
        ValueError: An argument is out of range.
        InputError: The backend cannot be imported or cannot do what is asked.
    """
    _, T, rows, V = logits.shape
    rules = Rules(Topology(topology), blank_id, delay_penalty, fastemit, hat)
    check_lattice_input(
        T, rows - 1, V, tokens, enc_lens, token_lens, blank_id=blank_id,
        others={"logits": logits},
    )  # fmt: skip
    backend = resolve(backend, logits.device)
    if backend in (Backend.TORCHAUDIO, Backend.K2):
        losses = peer_losses(backend, logits, tokens, enc_lens, token_lens, rules)
    else:
        index = next_labels(tokens, token_lens)[:, None].expand(-1, T, -1)
        run = partial(
            _occupy,
            enc_lens=enc_lens,
            token_lens=token_lens,
            topology=rules.topology,
            backend=backend,
        )
        losses = merged_losses(
            logits, index, enc_lens, rules, run, reuse_logits=reuse_logits
        )
    return reduce_losses(losses, reduction, impossible)


def _occupy(
    blank: Tensor, label: Tensor, **arguments: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """Run the lattice over cells that all have a label; the last row's is none."""
    total, blank, label = occupy(blank, label[..., :-1], **arguments)
    return total, blank, F.pad(label, (0, 1))
