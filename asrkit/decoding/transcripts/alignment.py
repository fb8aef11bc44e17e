"""Forced alignment: the frames at which given labels are spoken.

B utterances, T frames, U labels of the longest one, V tokens with blank (id 0), S
states of CTC: blank, label, blank, ..., label, blank.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.decoding.search import Hypothesis
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.align import viterbi_align
from asrkit.transducer.arcs import arc_log_probs
from asrkit.transducer.merged import next_labels
from asrkit.transducer.rules import Rules, Topology
from asrkit.utils.lengths import make_pad_mask

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

    Two numbers are kept of a cell (t, u), the (B, T, U + 1, V) logits never are.

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
    blank, label = _transducer_arcs(model, enc_out, tokens, token_lens)
    found = viterbi_align(blank, label, enc_lens, token_lens, topology=topology)
    frames = found.label_frames
    probabilities = label.gather(1, frames.clamp(min=0)[:, None]).squeeze(1).exp()
    possible = (found.score > -torch.inf) & (token_lens <= enc_lens)
    return _collect(possible, tokens, token_lens, frames, probabilities, found.score)


def _transducer_arcs(
    model: AsrModel, enc_out: Tensor, tokens: Tensor, token_lens: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the log-probabilities of blank (B, T, U + 1) and label (B, T, U)."""
    joiner = model.joiner
    rules = Rules(hat=joiner.hat)
    enc_proj = joiner.enc_proj(enc_out)
    pred_proj = joiner.pred_proj(model.predictor(tokens))
    index = next_labels(tokens, token_lens)[:, None]
    widest = max(model.vocab_size, enc_proj.shape[2])
    frames = max(1, _NUMBERS_AT_ONCE // (index.numel() * widest))
    blanks, labels = [], []
    for some in enc_proj.split(frames, dim=1):
        logits = joiner(some[:, :, None], pred_proj[:, None]).float()
        ids = index.expand(-1, some.shape[1], -1)
        blank, label, _ = arc_log_probs(logits, ids, rules)
        blanks.append(blank)
        labels.append(label[..., :-1])
    return torch.cat(blanks, dim=1), torch.cat(labels, dim=1)


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
    states = F.pad(tokens[..., None], (1, 0)).flatten(1)
    states = F.pad(states, (0, 1))  # (B, S)
    path, score = _ctc_viterbi(log_probs, states, enc_lens, token_lens)
    U = tokens.shape[1]
    spoken = (path % 2 == 1) & ~make_pad_mask(enc_lens, path.shape[1])
    labels = torch.where(spoken, path // 2, U)  # column U takes what is no label
    times = torch.arange(path.shape[1], device=path.device).expand_as(path)
    zeros = times.new_zeros((len(path), U + 1))
    frames = zeros.scatter_reduce(1, labels, times, "amin", include_self=False)
    ends = zeros.scatter_reduce(1, labels, times + 1, "amax")
    at_path = log_probs.gather(2, states.gather(1, path)[..., None]).squeeze(2).exp()
    probabilities = zeros.to(at_path).scatter_reduce(1, labels, at_path, "amax")
    possible = score > -torch.inf
    found = _collect(possible, tokens, token_lens, frames, probabilities, score)
    return [
        one and replace(one, ends=row[: len(one.tokens)])
        for one, row in zip(found, ends.tolist(), strict=True)
    ]


def _ctc_viterbi(
    log_probs: Tensor, states: Tensor, enc_lens: Tensor, token_lens: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the state of each frame on the best path, (B, T), and its score (B,).

    Args:
        log_probs: (B, T, V).
        states: Token id of each state, (B, S).
        enc_lens: (B,).
        token_lens: (B,).
    """
    T = log_probs.shape[1]
    # The next label can follow at once unless it is the same; blank is after blank.
    skips = F.pad(states[:, 2:] != states[:, :-2], (2, 0))[:, : states.shape[1]]
    steps = torch.zeros((T, *states.shape), dtype=torch.uint8, device=states.device)
    scores = log_probs[:, 0].gather(1, states).double()
    scores[:, 2:] = -torch.inf
    for t in range(1, T):
        # Graves et al. (2006), section 4.1: from s, s - 1, or s - 2; max for sum.
        by_one = F.pad(scores, (1, 0), value=-torch.inf)[:, :-1]
        by_two = F.pad(scores, (2, 0), value=-torch.inf)[:, :-2]
        by_two = by_two.masked_fill(~skips, -torch.inf)
        best, step = torch.stack([scores, by_one, by_two]).max(dim=0)
        now = (t < enc_lens)[:, None]
        scores = torch.where(now, best + log_probs[:, t].gather(1, states), scores)
        steps[t] = step.to(torch.uint8).masked_fill(~now, 0)
    # The path ends in the last blank or in the last label, where there is one.
    ends = torch.stack([2 * token_lens, (2 * token_lens - 1).clamp(min=0)], dim=1)
    score, which = scores.gather(1, ends).max(dim=1)
    state = ends.gather(1, which[:, None])
    path = [state]
    for t in range(T - 1, 0, -1):
        state = state - steps[t].gather(1, state).long()
        path.append(state)
    return torch.cat(path[::-1], dim=1), score


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
