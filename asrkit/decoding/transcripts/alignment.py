"""Forced alignment: the frames at which given labels are spoken.

B utterances, T frames, U labels of the longest one, V tokens with blank (id 0).
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.decoding.search import Hypothesis
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.align import viterbi_align
from asrkit.transducer.arcs import arc_log_probs
from asrkit.transducer.lattices.ctc_path import ctc_path
from asrkit.transducer.merged import next_labels
from asrkit.transducer.rules import Rules, Topology

_NUMBERS_AT_ONCE = 1 << 24  # of the joiner's activations: 64 MiB in float32


@torch.inference_mode()
def align_by_transducer(
    model: AsrModel,
    enc_out: Tensor,
    enc_lens: Tensor,
    tokens: Tensor,
    token_lens: Tensor,
    *,
    topology: Topology,
) -> list[Hypothesis | None]:
    """Find the best path through each utterance's transducer lattice.

    Of a cell (t, u) two numbers are kept, and one for each duration of the joiner; the
    (B, T, U + 1, V) logits never are.

    Args:
        model: The recognizer.
        enc_out: (B, T, D).
        enc_lens: (B,), int64.
        tokens: (B, U), int64.
        token_lens: (B,), int64.
        topology: That of the paths that the model was trained on.

    Returns:
        The path with its log-probability as score; None where there is none, and for
        more labels than frames: the regular topology could emit all of them in one
        frame, but nobody speaks that fast.
    """
    blank, label, *jumps = _transducer_arcs(model, enc_out, tokens, token_lens)
    durations = dict(zip(model.joiner.durations, jumps, strict=True))
    found = viterbi_align(
        blank,
        label,
        enc_lens,
        token_lens,
        topology=topology,
        duration_log_probs=durations or None,
    )
    frames = found.label_frames
    probabilities = label.gather(1, frames.clamp(min=0)[:, None]).squeeze(1).exp()
    possible = (found.score > -torch.inf) & (token_lens <= enc_lens)
    return _collect(possible, tokens, token_lens, frames, probabilities, found.score)


def _transducer_arcs(
    model: AsrModel, enc_out: Tensor, tokens: Tensor, token_lens: Tensor
) -> list[Tensor]:
    """Return the log-probabilities of blank (B, T, U + 1) and label (B, T, U).

    And those of the joiner's durations, (B, T, U + 1) each.
    """
    joiner = model.joiner
    rules = Rules(hat=joiner.hat, durations=joiner.durations)
    enc_proj = joiner.enc_proj(enc_out)
    pred_proj = joiner.pred_proj(model.predictor(tokens))
    index = next_labels(tokens, token_lens)[:, None]
    widest = max(model.vocab_size, enc_proj.shape[2])
    frames = max(1, _NUMBERS_AT_ONCE // (index.numel() * widest))
    parts = []
    for some in enc_proj.split(frames, dim=1):
        logits = joiner(some[:, :, None], pred_proj[:, None]).float()
        ids = index.expand(-1, some.shape[1], -1)
        blank, label, _, *jumps = arc_log_probs(logits, ids, rules)
        parts.append([blank, label[..., :-1], *jumps])
    return [torch.cat(part, dim=1) for part in zip(*parts, strict=True)]


@torch.inference_mode()
def align_by_ctc(
    log_probs: Tensor, enc_lens: Tensor, tokens: Tensor, token_lens: Tensor
) -> list[Hypothesis | None]:
    """Find the best path of CTC.

    A label's frame is the first that it covers, its end is after the last, and its
    probability is the largest in those.

    Args:
        log_probs: Of a head that was trained with CTC, or other scores, (B, T, V).
        enc_lens: (B,), int64.
        tokens: (B, U), int64.
        token_lens: (B,), int64.

    Returns:
        The path with its log-probability as score; None where there is none: with more
        labels, and blanks between equal ones, than frames.
    """
    path = ctc_path(log_probs, enc_lens, tokens, token_lens)
    ids = F.pad(tokens, (0, 1)).gather(1, path.labels)  # column U is blank
    at_path = log_probs.gather(2, ids[..., None]).squeeze(2).exp()
    zeros = at_path.new_zeros((len(tokens), tokens.shape[1] + 1))
    probabilities = zeros.scatter_reduce(1, path.labels, at_path, "amax")
    found = _collect(
        path.score > -torch.inf,
        tokens,
        token_lens,
        path.label_frames,
        probabilities,
        path.score,
    )
    return [
        one and replace(one, ends=row[: len(one.tokens)])
        for one, row in zip(found, path.label_ends.tolist(), strict=True)
    ]


def _collect(
    possible: Tensor,
    tokens: Tensor,
    token_lens: Tensor,
    frames: Tensor,
    probabilities: Tensor,
    scores: Tensor,
) -> list[Hypothesis | None]:
    """Take a batch apart; frames and probabilities are (B, U) or wider."""
    columns = (possible, tokens, token_lens, frames, probabilities, scores)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        Hypothesis(labels[:count], frames[:count], confidences[:count], score)
        if has_path
        else None
        for has_path, labels, count, frames, confidences, score in rows
    ]
