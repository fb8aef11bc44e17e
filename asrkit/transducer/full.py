"""The exact transducer loss from logits over the whole lattice."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from asrkit.transducer.backends import Backend, resolve
from asrkit.transducer.checks import check_lattice_input
from asrkit.transducer.lattices.whole import occupy_whole
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
    durations: Sequence[int] = (),
    sigma: float = 0.0,
    impossible: Impossible | str = Impossible.ZERO,
    backend: Backend | str = Backend.AUTO,
    reuse_logits: bool = False,
) -> Tensor:
    """Negative log-likelihood of the transcripts, summed over all alignments.

    Computed in float32 or better, whatever the type of `logits`. What lies outside an
    utterance's lengths changes nothing and gets gradient 0.

    Args:
        logits: Joiner output, (B, T, U + 1, V), unnormalised; (B, T, U + 1, V + Q) with
            Q durations.
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
        durations: Frames that an arc may move on by (TDT, Xu et al., 2023, arXiv
            2304.06795), 1 among them; as many logits of a softmax of their own follow
            the tokens'. Needs topology regular; torch computes the lattice.
        sigma: Taken from each arc's log-probability where there are durations, so that
            paths of fewer arcs get more; 0.02 to 0.05 in training.
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
    rules = Rules(
        Topology(topology), blank_id, delay_penalty, fastemit, hat, (*durations,), sigma
    )
    check_lattice_input(
        T, rows - 1, V - len(rules.durations), tokens, enc_lens, token_lens,
        blank_id=blank_id, others={"logits": logits},
    )  # fmt: skip
    backend = resolve(backend, logits.device)
    if backend in (Backend.TORCHAUDIO, Backend.K2):
        losses = peer_losses(backend, logits, tokens, enc_lens, token_lens, rules)
    else:
        index = next_labels(tokens, token_lens)[:, None].expand(-1, T, -1)
        run = partial(
            occupy_whole,
            enc_lens=enc_lens,
            token_lens=token_lens,
            rules=rules,
            backend=backend,
        )
        losses = merged_losses(
            logits, index, enc_lens, rules, run, reuse_logits=reuse_logits
        )
    return reduce_losses(losses, reduction, impossible)
