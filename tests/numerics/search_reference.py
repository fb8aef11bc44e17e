"""Searches over all paths, one after the other: slow, and easy to believe."""

import itertools
import math
from collections import defaultdict

import torch

from asrkit.decoding.fusion.fusion import Scorer
from asrkit.models.asr_model import ModelConfig
from asrkit.models.conformer import ConformerConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.models.predictor import PredictorConfig


class Bigram(Scorer):
    """A language model with random scores: of the next label after the last one."""

    def __init__(self, vocab_size=4):
        generator = torch.Generator().manual_seed(3)
        self.table = torch.randn(vocab_size, vocab_size, generator=generator)
        self.table[:, 0] = 0.0
        self.end = torch.randn(vocab_size, generator=generator)

    def start(self, count, device):
        return (torch.zeros(count, dtype=torch.int64),)

    def scores(self, state):
        return self.table[state[0]]

    def advance(self, state, labels):
        return (torch.where(labels > 0, labels, state[0]),)

    def final(self, state):
        return self.end[state[0]]

    def by_text(self, text, label):
        last = text[-1] if text else 0
        return float(self.end[last] if label is None else self.table[last, label])


def encode(T, seed=1):
    torch.manual_seed(seed)
    return 2 * torch.randn(1, T, 8, dtype=torch.float64)


def make_model(vocab_size=4, seed=0, context_size=2, hat=False, durations=()):
    torch.manual_seed(seed)
    encoder = ConformerConfig(
        num_layers=1, dim=8, num_heads=2, ff_dim=8, kernel_size=3, dropout=0.0,
        subsampling_channels=2,
    )  # fmt: skip
    model = ModelConfig(
        encoder=encoder,
        predictor=PredictorConfig(dim=8, dropout=0.0, context_size=context_size),
        joiner=JoinerConfig(dim=8, hat=hat, durations=[*durations]),
    ).build(num_bins=80, vocab_size=vocab_size)
    for part in (model.joiner, model.predictor, model.ctc_head):
        for parameter in part.parameters():
            torch.nn.init.normal_(parameter)
    return model.double().eval()


@torch.no_grad()
def log_probs_after(model, enc_out, text, blank_penalty=0.0):
    """Return log-probabilities (T, V) after a text."""
    size = model.predictor.context_size
    context = torch.tensor([([0] * size + list(text))[-size:]])
    pred = model.joiner.pred_proj(model.predictor.contexts(context))[0]
    logits = model.joiner(model.joiner.enc_proj(enc_out), pred)
    logits[:, 0] -= blank_penalty
    if not model.joiner.hat:
        return logits.log_softmax(dim=-1)
    blank = 1 / (1 + torch.exp(-logits[:, :1]))
    return torch.cat([blank, (1 - blank) * logits[:, 1:].softmax(dim=-1)], dim=-1).log()


def all_texts(scores):
    """Turn path scores by text into (text, log-sum), the best first."""
    sums = {text: _log_sum(paths) for text, paths in scores.items()}
    return sorted(sums.items(), key=lambda item: -item[1])


def _log_sum(values):
    top = max(values)
    return top + math.log(sum(math.exp(v - top) for v in values))


def transducer_texts(model, enc_out, most, *, stays, fused=None, blank_penalty=0.0):
    """Sum all paths of at most `most` labels a frame.

    `stays`: labels stay in their frame and blank leaves it (regular); else a label
    leaves it, too (monotonic, `most` is 1). `fused` maps (text, label) to a score, and
    (text, None) to that of ending.
    """
    V = model.ctc_head.out_features
    scores = defaultdict(list)
    cache = {}

    def arcs(text, t):
        if text not in cache:
            cache[text] = log_probs_after(model, enc_out, text, blank_penalty).tolist()
        return cache[text][t]

    def walk(text, t, emitted, score):
        if t == len(enc_out):
            end = fused(text, None) if fused else 0.0
            scores[text].append(score + end)
            return
        here = arcs(text, t)
        walk(text, t + 1, 0, score + here[0])
        if emitted == most:
            return
        for label in range(1, V):
            more = score + here[label] + (fused(text, label) if fused else 0.0)
            if stays:
                walk((*text, label), t, emitted + 1, more)
            else:
                walk((*text, label), t + 1, 0, more)

    walk((), 0, 0, 0.0)
    return all_texts(scores)


def ctc_texts(model, enc_out, blank_penalty=0.0):
    """Sum all CTC paths."""
    scores = defaultdict(list)
    for text, _, score in ctc_paths(model, enc_out, blank_penalty):
        scores[text].append(score)
    return all_texts(scores)


@torch.no_grad()
def ctc_paths(model, enc_out, blank_penalty=0.0):
    """Yield text, first frames of its labels, and score of every CTC path."""
    logits = model.ctc_head(enc_out)
    logits[:, 0] -= blank_penalty
    frames = logits.log_softmax(dim=-1).tolist()
    for path in itertools.product(range(len(frames[0])), repeat=len(frames)):
        text, first = [], []
        for t, (label, before) in enumerate(zip(path, (0, *path), strict=False)):
            if label and label != before:
                text.append(label)
                first.append(t)
        score = sum(frames[t][label] for t, label in enumerate(path))
        yield tuple(text), first, score


def greedy_text(model, enc_out, max_symbols, fused=None, blank_penalty=0.0):
    """Take the best arc, one after the other: (text, frames, score)."""
    text, frames, t, emitted, score = (), [], 0, 0, 0.0
    while t < len(enc_out):
        here = log_probs_after(model, enc_out, text, blank_penalty)[t].tolist()
        if fused:
            here = [here[0], *(p + fused(text, k) for k, p in enumerate(here) if k)]
        best = max(range(len(here)), key=here.__getitem__)
        if best == 0 or emitted == max_symbols:
            score += here[0]
            t, emitted = t + 1, 0
        else:
            score += here[best]
            text, emitted = (*text, best), emitted + 1
            frames.append(t)
    return text, frames, score + (fused(text, None) if fused else 0.0)
