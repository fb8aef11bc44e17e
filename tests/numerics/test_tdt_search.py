"""Searches that follow the durations of a joiner, and training that makes them."""

import pytest
import torch

from asrkit.data.features.fbank import Fbank
from asrkit.decoding.fusion.fusion import Fusion
from asrkit.decoding.greedy import GreedySearch
from asrkit.decoding.transcripts import alignment
from asrkit.export.folder import check_contract
from asrkit.losses.criterion import Encoded
from asrkit.losses.fused import FusedLossConfig
from asrkit.models.joiner import Joiner, JoinerConfig
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError
from tests.numerics.lattices import walk_jumps
from tests.numerics.search_reference import Bigram, encode, make_model
from tests.numerics.streams import exact_model, feed_queued

DURATIONS = [0, 1, 2, 4]


@torch.no_grad()
def reference(model, enc_out, max_symbols, *, fused=None, blank_penalty=0.0):
    """Follow one utterance's arcs, one by one: (labels, frames, score, arcs)."""
    joiner, size = model.joiner, model.predictor.context_size
    text, frames, t, emitted, score, arcs = [], [], 0, 0, 0.0, 0
    while t < len(enc_out):
        context = torch.tensor([([0] * size + text)[-size:]])
        pred = joiner.pred_proj(model.predictor.contexts(context))[0, 0]
        hidden = torch.tanh(joiner.enc_proj(enc_out[t]) + pred)
        logits = joiner.output.weight @ hidden + joiner.output.bias
        logits[0] -= blank_penalty
        V = len(logits) - len(joiner.durations)
        tokens = logits[:V].log_softmax(-1).tolist()
        if fused:
            tokens[1:] = [p + fused(text, k) for k, p in enumerate(tokens) if k]
        q = logits[V:].log_softmax(-1).tolist()
        label = max(range(V), key=tokens.__getitem__)
        if emitted == max_symbols:
            label = 0
        best = max(range(len(q)), key=q.__getitem__)
        if label == 0 and joiner.durations[best] == 0:
            best = joiner.durations.index(1)
        score += tokens[label] + q[best]
        if label:
            text, emitted = [*text, label], emitted + 1
            frames.append(t)
        if joiner.durations[best]:
            emitted = 0
        t, arcs = t + joiner.durations[best], arcs + 1
    return text, frames, score + (fused(text, None) if fused else 0.0), arcs


@pytest.mark.parametrize("max_symbols", [1, 10])
@pytest.mark.parametrize("penalty", [0.0, 2.0])
@pytest.mark.parametrize("scale", [0.0, 0.5])
def test_a_batch_finds_what_each_utterance_does(max_symbols, penalty, scale):
    lm = Bigram()
    options = {"blank_penalty": penalty}
    lens = [30, 1, 17, 0, 8]
    enc_out = encode(30).repeat(5, 1, 1) + torch.arange(5)[:, None, None]
    total = 0
    for seed in range(4):
        model = make_model(seed=seed, durations=DURATIONS)
        fusion = Fusion([(lm, scale)] if scale else [])
        search = GreedySearch(max_symbols, fusion=fusion, **options)
        found = search(model, enc_out, torch.tensor(lens))
        for (one,), row, T in zip(found, enc_out, lens, strict=True):
            fused = (lambda *arc: scale * lm.by_text(*arc)) if scale else None
            text, frames, score, _ = reference(
                model, row[:T], max_symbols, fused=fused, **options
            )
            assert (one.tokens, one.frames) == (text, frames)
            assert one.score == pytest.approx(score, abs=1e-4)
            assert len(one.confidences) == len(text)
            total += len(text)
    assert total > 50


def test_streams_find_what_whole_utterances_do():
    model = exact_model(durations=DURATIONS)
    search = GreedySearch(3)
    queued = [
        [encode(n, seed)[0] for seed, n in enumerate(lens, 10 * row)]
        for row, lens in enumerate(([40, 3, 17], [1, 1, 60], [33]))
    ]
    expected = [
        [search(model, one[None], torch.tensor([len(one)]))[0][0] for one in row]
        for row in queued
    ]
    state = search.start(model, len(queued))
    found = [[] for _ in queued]
    for nbests, _, ended in feed_queued(
        state, queued, torch.Generator().manual_seed(5)
    ):
        for row in ended:
            found[row] += nbests[row]
    assert found == expected
    assert sum(len(one.tokens) for row in expected for one in row) > 10


def test_export_refuses_what_its_searches_cannot_follow():
    model, features = (
        make_model(durations=DURATIONS),
        Fbank(sampling_rate=16000, num_bins=80, low_freq=20.0, high_freq=-400.0),
    )
    with pytest.raises(InputError, match=r"joiner has durations \(\[0, 1, 2, 4\]\)"):
        check_contract(model, features)
    check_contract(make_model(), features)


def make_batch(V=12, B=4, T=24, U=5):
    """Draw utterances of labels that one cannot tell from their neighbours."""
    torch.manual_seed(0)
    tokens = torch.randint(1, V, (B, U))
    return Encoded(
        torch.randn(B, T, 8), torch.full((B,), T), tokens, torch.full((B,), U)
    )


def learn(config, batch, updates=120):
    """Learn a batch by heart, without an encoder."""
    model = make_model(12).float()
    model.joiner = JoinerConfig(dim=64, durations=[0, 1, 2, 4, 8]).build(8, 8, 12)
    criterion = config.build(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(updates):
        optimizer.zero_grad()
        criterion(model, batch).loss.backward()
        optimizer.step()
    return model


def count_evaluations(model, batch, monkeypatch):
    """Search; return errors and the cells in which the joiner was evaluated."""
    counts = []
    forward = Joiner.forward

    def count(self, enc_proj, pred_proj):
        logits = forward(self, enc_proj, pred_proj)
        counts.append(logits[..., 0].numel())
        return logits

    with monkeypatch.context() as patch:
        patch.setattr(Joiner, "forward", count)
        found = GreedySearch(10)(model, batch.enc_out, batch.enc_lens)
    pairs = zip(found, batch.tokens.tolist(), strict=True)
    return sum(nbest[0].tokens != text for nbest, text in pairs), sum(counts)


def test_what_is_learnt_by_heart_is_found_with_few_evaluations(monkeypatch):
    batch = make_batch()
    model = learn(FusedLossConfig(weights={"transducer": 1.0}), batch)
    wrong, evaluated = count_evaluations(model, batch, monkeypatch)
    # The tokens alone are a plain transducer, which looks at every frame.
    model.joiner.durations = ()
    _, by_frame = count_evaluations(model, batch, monkeypatch)
    assert wrong == 0
    assert by_frame >= 4 * (24 + 5)
    assert evaluated < by_frame / 2


@torch.no_grad()
@pytest.mark.parametrize("at_once", [1 << 24, 1])
def test_forced_alignment_follows_durations(at_once, monkeypatch):
    monkeypatch.setattr(alignment, "_NUMBERS_AT_ONCE", at_once)
    model = make_model(durations=DURATIONS)
    enc_out = encode(6).repeat(2, 1, 1) + torch.arange(2)[:, None, None]
    tokens, lens = torch.tensor([[1, 3], [2, 0]]), torch.tensor([2, 1])
    found = alignment.align_by_transducer(
        model, enc_out, torch.tensor([6, 5]), tokens, lens, topology=Topology.REGULAR
    )
    joiner = model.joiner
    pred_proj = joiner.pred_proj(model.predictor(tokens))[:, None]
    log_probs, q = joiner.arc_log_probs(joiner.enc_proj(enc_out)[:, :, None], pred_proj)
    for b, (T, U) in enumerate([(6, 2), (5, 1)]):
        text = tokens[b, :U].tolist()
        own = log_probs[b, :T, : U + 1], q[b, :T], text, DURATIONS
        score, frames = max(walk_jumps(*own), key=lambda path: float(path[0]))
        assert (found[b].tokens, found[b].frames) == (text, frames)
        assert found[b].score == pytest.approx(float(score), abs=1e-4)
        heard = [float(log_probs[b, t, u, text[u]].exp()) for u, t in enumerate(frames)]
        assert found[b].confidences == pytest.approx(heard, abs=1e-5)
