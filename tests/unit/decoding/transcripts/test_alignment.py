"""Forced alignment against all paths, enumerated, and against torchaudio's."""

import itertools
import math
from functools import partial

import pytest
import torch

from asrkit.decoding.transcripts import alignment
from asrkit.decoding.transcripts.alignment import align_by_ctc, align_by_transducer
from asrkit.models.asr_model import ModelConfig
from asrkit.models.conformer import ConformerConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.models.predictor import PredictorConfig
from asrkit.transducer.rules import Topology

V = 5
ENC_LENS = torch.tensor([5, 4, 3, 2])
TOKENS = torch.tensor([[2, 2, 4], [1, 3, 0], [3, 0, 0], [1, 2, 3]])
TOKEN_LENS = torch.tensor([3, 2, 1, 3])


@pytest.fixture
def model():
    encoder = ConformerConfig(
        num_layers=1,
        dim=8,
        num_heads=2,
        ff_dim=8,
        kernel_size=3,
        subsampling_channels=2,
    )
    model = ModelConfig(
        encoder=encoder,
        predictor=PredictorConfig(dim=8),
        joiner=JoinerConfig(dim=8),
    ).build(num_bins=8, vocab_size=V)
    with torch.no_grad():
        model.joiner.output.weight.mul_(5)
        model.ctc_head.weight.mul_(5)
    return model.eval()


@pytest.fixture
def enc_out():
    return torch.randn(4, 5, 8)


def label_paths(T, U, topology):
    """Yield the frames of labels: rising, or in the regular topology not falling."""
    if topology is Topology.REGULAR:
        return itertools.combinations_with_replacement(range(T), U)
    return itertools.combinations(range(T), U)


def transducer_score(log_prob, frames, T, topology):
    """Sum a path's log-probabilities; log_prob(t, u, label) for label 0 or 1."""
    score = sum(log_prob(t, u, 1) for u, t in enumerate(frames))
    for t in range(T):
        emitted = sum(frame <= t for frame in frames)
        # A label of the monotonic topology stands in the place of a blank.
        if topology is not Topology.MONOTONIC or t not in frames:
            score += log_prob(t, emitted, 0)
    return score


def joint_log_probs(model, enc_out, tokens, hat):
    """Return log-probabilities of one utterance, (T, U + 1, V)."""
    enc = model.joiner.enc_proj(enc_out)[:, None]
    pred = model.joiner.pred_proj(model.predictor(tokens[None]))[0]
    logits = model.joiner(enc, pred).double()
    if not hat:
        return logits.log_softmax(-1)
    blank = torch.nn.functional.logsigmoid(logits[..., :1])
    rest = torch.nn.functional.logsigmoid(-logits[..., :1])
    return torch.cat([blank, rest + logits[..., 1:].log_softmax(-1)], dim=-1)


@pytest.mark.parametrize("at_once", [1 << 24, 1])
@pytest.mark.parametrize("hat", [False, True])
@pytest.mark.parametrize("topology", list(Topology))
@torch.no_grad()
def test_the_transducers_path_is_the_best_of_all(
    model, enc_out, topology, hat, at_once, monkeypatch
):
    monkeypatch.setattr(alignment, "_NUMBERS_AT_ONCE", at_once)
    model.joiner.hat = hat
    batch = (enc_out, ENC_LENS, TOKENS, TOKEN_LENS)
    found = align_by_transducer(model, *batch, topology=topology)
    assert found[3] is None  # three labels in two frames
    for b in range(3):
        T, tokens = int(ENC_LENS[b]), TOKENS[b, : TOKEN_LENS[b]]
        joint = joint_log_probs(model, enc_out[b, :T], tokens, hat)

        def log_prob(t, u, label, joint=joint, tokens=tokens):
            return float(joint[t, u, tokens[u] if label else 0])

        scores = {
            frames: transducer_score(log_prob, frames, T, topology)
            for frames in label_paths(T, len(tokens), topology)
        }
        best = max(scores, key=scores.get)
        assert found[b].tokens == tokens.tolist()
        assert tuple(found[b].frames) == best
        assert found[b].score == pytest.approx(scores[best], abs=1e-4)
        heard = [math.exp(log_prob(t, u, 1)) for u, t in enumerate(best)]
        assert found[b].confidences == pytest.approx(heard, abs=1e-5)


def collapse(path):
    return [label for label, _ in itertools.groupby(path) if label]


@torch.no_grad()
def test_the_ctc_path_is_the_best_of_all(model, enc_out):
    log_probs = model.ctc_log_probs(enc_out)
    found = align_by_ctc(log_probs, ENC_LENS, TOKENS, TOKEN_LENS)
    assert found[3] is None
    log_probs = log_probs.double()
    for b in range(3):
        T, tokens = int(ENC_LENS[b]), TOKENS[b, : TOKEN_LENS[b]].tolist()
        times = torch.arange(T)
        paths = [
            path
            for path in itertools.product(range(V), repeat=T)
            if collapse(path) == tokens
        ]
        scores = log_probs[b, times, torch.tensor(paths)].sum(dim=1)
        best = paths[int(scores.argmax())]
        starts, ends, confidences = [], [], []
        for label, run in itertools.groupby(range(T), key=lambda t: best[t]):
            frames = list(run)
            if label:
                starts.append(frames[0])
                ends.append(frames[-1] + 1)
                heard = log_probs[b, frames, label].max().exp()
                confidences.append(float(heard))
        assert found[b].tokens == tokens
        assert (found[b].frames, found[b].ends) == (starts, ends)
        assert found[b].score == pytest.approx(float(scores.max()), abs=1e-4)
        assert found[b].confidences == pytest.approx(confidences, abs=1e-5)


@torch.no_grad()
def test_equal_labels_need_a_blank_between_them(model, enc_out):
    tokens = torch.tensor([[2, 2, 2]])
    lens = (torch.tensor([3]),)
    log_probs = model.ctc_log_probs(enc_out[:1])
    five = align_by_ctc(log_probs, torch.tensor([5]), tokens, *lens)
    assert five[0].frames == [0, 2, 4]
    assert align_by_ctc(log_probs, torch.tensor([4]), tokens, *lens) == [None]


@torch.no_grad()
def test_without_a_label_all_frames_are_blank(model, enc_out):
    tokens, none = torch.zeros(4, 0, dtype=torch.int64), torch.zeros(4).long()
    log_probs = model.ctc_log_probs(enc_out)
    paths = align_by_ctc(log_probs, ENC_LENS, tokens, none)
    for found, row, T in zip(paths, log_probs[..., 0], ENC_LENS, strict=True):
        assert (found.tokens, found.frames) == ([], [])
        assert found.score == pytest.approx(float(row[:T].sum()), rel=1e-6)


@torch.no_grad()
def test_the_ctc_path_is_torchaudios(model):
    from torchaudio.functional import forced_align

    enc_out, tokens = torch.randn(1, 80, 8), torch.randint(1, V, (1, 25))
    lens = torch.tensor([80]), tokens, torch.tensor([25])
    log_probs = model.ctc_log_probs(enc_out)
    (found,) = align_by_ctc(log_probs, *lens)
    path, scores = forced_align(log_probs, tokens)
    assert found.score == pytest.approx(float(scores.sum()), rel=1e-5)
    heard, starts, confidences = scores[0].exp().tolist(), [], []
    for label, run in itertools.groupby(range(80), key=path[0].tolist().__getitem__):
        frames = list(run)
        if label:
            starts.append(frames[0])
            confidences.append(max(heard[t] for t in frames))
    assert found.frames == starts
    assert found.confidences == pytest.approx(confidences, abs=1e-5)


@torch.no_grad()
def test_an_utterances_alignment_does_not_depend_on_its_batch(model):
    enc_out = torch.randn(12, 30, 8)
    enc_lens, token_lens = torch.randint(16, 31, (12,)), torch.randint(1, 9, (12,))
    enc_lens[5], token_lens[5] = 4, 8  # no path
    tokens = torch.randint(1, V, (12, 8))
    regular = partial(align_by_transducer, model, topology=Topology.REGULAR)
    for align, frames in (
        (align_by_ctc, model.ctc_log_probs(enc_out)),
        (regular, enc_out),
    ):
        together = align(frames, enc_lens, tokens, token_lens)
        assert [one is None for one in together] == [b == 5 for b in range(12)]
        for b in range(12):
            T, U = int(enc_lens[b]), int(token_lens[b])
            alone = (frames[b, None, :T], enc_lens[b, None])
            labels = (tokens[b, None, :U], token_lens[b, None])
            (one,) = align(*alone, *labels)
            if together[b] is None:
                assert one is None
                continue
            assert together[b].frames == one.frames
            assert together[b].score == pytest.approx(one.score, rel=1e-5)
