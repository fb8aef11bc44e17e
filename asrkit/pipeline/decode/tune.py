"""Finds the scales of a search on dev: decodes once, then rescores."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asrkit.decoding.fusion.rescoring import SentenceModel, score_sentences
from asrkit.decoding.scoring.score import edit_distance
from asrkit.decoding.search import NBest
from asrkit.models.asr_model import AsrModel
from asrkit.pipeline.decode.choose_search import last_loss
from asrkit.pipeline.decode.decode_set import open_batches
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.training.distributed import World
from asrkit.transducer.fused import fused_loss
from asrkit.transducer.rules import Topology

Floats = NDArray[np.float64]

_UTTERANCES_AT_ONCE = 8
ACOUSTIC = "acoustic"


@dataclass(frozen=True)
class NBestScores:
    """The n-best lists of N utterances, K places each."""

    acoustic: dict[float, Floats]
    """Log-probability of each hypothesis by blank penalty, (N, K); -inf: no such."""
    added: dict[str, Floats]
    """Log-probabilities by what is fused, (N, K)."""
    errors: NDArray[np.int64]
    """Errors of each hypothesis, (N, K)."""
    words: int
    """Reference words, or what else is counted."""


@dataclass(frozen=True)
class Tried:
    """One setting and what it gives."""

    blank_penalty: float
    scales: dict[str, float]
    rate: float
    """Error rate, percent."""


def collect(
    recognizer: Recognizer,
    cuts: Iterable[object],
    models: Mapping[str, SentenceModel],
    penalties: Sequence[float],
) -> NBestScores:
    """Decode cuts into n-best lists, and score every hypothesis in every way.

    The score of a text is the sum over all its alignments, for each blank penalty: what
    a search with that penalty would give it, but for what its beam loses.

    Args:
        recognizer: Its search gives the lists.
        cuts: Utterances with references.
        models: Language models by name.
        penalties: Blank penalties.
    """
    world = World(0, 1, recognizer.device)
    topology = last_loss(recognizer.config).paths or Topology.REGULAR
    rows: list[tuple[NBest, str]] = []
    acoustic: dict[float, list[list[float]]] = {p: [] for p in penalties}
    for batch in open_batches(recognizer, cuts, world):
        enc_out, enc_lens = recognizer.encode(batch)
        nbests = recognizer.search(recognizer.model, enc_out, enc_lens)
        rows += zip(nbests, batch.texts, strict=True)
        for penalty, scores in acoustic.items():
            scores += score_lists(
                recognizer.model, enc_out, enc_lens, nbests, penalty, topology
            )
    flat = [one.tokens for nbest, _ in rows for one in nbest]
    K = max(len(nbest) for nbest, _ in rows)
    added = {
        name: _pad(_unflatten(score_sentences(lm, flat, recognizer.device), rows), K, 0)
        for name, lm in models.items()
    }
    divide = recognizer.config.decode.unit.divide
    refs = [divide(ref.split()) for _, ref in rows]
    errors = [
        [
            edit_distance(ref, divide(one.text(recognizer.tokenizer).split()))
            for one in nbest
        ]
        for (nbest, _), ref in zip(rows, refs, strict=True)
    ]
    return NBestScores(
        {penalty: _pad(scores, K, -np.inf) for penalty, scores in acoustic.items()},
        added,
        _pad(errors, K, 0).astype(np.int64),
        sum(map(len, refs)),
    )


@torch.inference_mode()
def score_lists(
    model: AsrModel,
    enc_out: Tensor,
    enc_lens: Tensor,
    nbests: Sequence[NBest],
    blank_penalty: float,
    topology: Topology,
) -> list[list[float]]:
    """Return the log-probability of each hypothesis, summed over its alignments."""
    joiner = model.joiner
    enc_proj = joiner.enc_proj(enc_out)
    bias = joiner.output.bias.clone()
    bias[0] -= blank_penalty
    scores: list[list[float]] = []
    for start in range(0, len(nbests), _UTTERANCES_AT_ONCE):
        part = nbests[start : start + _UTTERANCES_AT_ONCE]
        counts = torch.tensor([len(nbest) for nbest in part])
        owner = torch.arange(start, start + len(part)).repeat_interleave(counts)
        owner = owner.to(enc_out.device)
        labels = [torch.tensor(one.tokens).long() for nbest in part for one in nbest]
        lens = torch.tensor([len(x) for x in labels], device=enc_out.device)
        tokens = torch.nn.utils.rnn.pad_sequence(labels, batch_first=True)
        tokens = tokens.to(enc_out.device)
        losses = fused_loss(
            enc_proj[owner],
            joiner.pred_proj(model.predictor(tokens)),
            joiner.output.weight,
            bias,
            tokens,
            enc_lens[owner],
            lens,
            reduction="none",
            impossible="inf",
            topology=topology,
            hat=joiner.hat,
            durations=joiner.durations,
        )
        flat = iter((-losses).tolist())
        scores += [[next(flat) for _ in nbest] for nbest in part]
    return scores


def search_scales(
    lists: NBestScores, scales: Mapping[str, Sequence[float]]
) -> list[Tried]:
    """Try every combination of blank penalties and scales; the best comes first.

    Among equals those with the smaller numbers come first.
    """
    tried = list(_try_all(lists, scales))
    return sorted(tried, key=lambda one: (one.rate, _size(one)))


def _try_all(
    lists: NBestScores, scales: Mapping[str, Sequence[float]]
) -> Iterator[Tried]:
    utterances = np.arange(len(lists.errors))
    for penalty, acoustic in lists.acoustic.items():
        for values in itertools.product(*scales.values()):
            setting = dict(zip(scales, values, strict=True))
            total = acoustic + sum(
                scale * lists.added[name] for name, scale in setting.items()
            )
            best = total.argmax(axis=1)
            errors = int(lists.errors[utterances, best].sum())
            yield Tried(penalty, setting, 100.0 * errors / lists.words)


def _size(one: Tried) -> float:
    return abs(one.blank_penalty) + sum(abs(x) for x in one.scales.values())


def _unflatten(
    flat: Sequence[float], rows: Sequence[tuple[NBest, str]]
) -> list[list[float]]:
    """Deal values of all hypotheses to their utterances."""
    values = iter(flat)
    return [[next(values) for _ in nbest] for nbest, _ in rows]


def _pad(rows: Sequence[Sequence[float]], K: int, value: float) -> Floats:
    """Fill rows up to K places."""
    padded = np.full((len(rows), K), value, dtype=np.float64)
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = values
    return padded
