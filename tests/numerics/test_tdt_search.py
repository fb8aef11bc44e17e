"""Searches that follow the durations of a joiner, and training that makes them."""

import math
from collections import defaultdict

import pytest
import torch

from asrkit.data.features.fbank import Fbank
from asrkit.decoding.beam_search import BeamSearch
from asrkit.decoding.fusion.fusion import Fusion
from asrkit.decoding.greedy import GreedySearch
from asrkit.decoding.transcripts import alignment
from asrkit.export.folder import check_contract
from asrkit.losses.criterion import Encoded
from asrkit.losses.fused import FusedLossConfig
from asrkit.models.joiner import Joiner, JoinerConfig
from asrkit.transducer.full import transducer_loss
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


@pytest.mark.parametrize("hat", [False, True])
def test_tokens_and_durations_have_distributions_of_their_own(hat):
    joiner = JoinerConfig(dim=8, hat=hat, durations=DURATIONS).build(4, 4, 12).double()
    enc, pred = torch.randn(3, 1, 8).double(), torch.randn(5, 8).double()
    tokens, durations = joiner.arc_log_probs(enc, pred, blank_penalty=0.5)
    assert (tokens.shape, durations.shape) == ((3, 5, 12), (3, 5, 4))
    for found in (tokens, durations):
        torch.testing.assert_close(found.exp().sum(-1), torch.ones(3, 5).double())
    torch.testing.assert_close(tokens, joiner.log_probs(enc, pred, blank_penalty=0.5))
    # The same tokens as those of a joiner without durations.
    plain = JoinerConfig(dim=8, hat=hat).build(4, 4, 12).double()
    plain.output.weight.data = joiner.output.weight.data[:12]
    plain.output.bias.data = joiner.output.bias.data[:12]
    torch.testing.assert_close(joiner.log_probs(enc, pred), plain.log_probs(enc, pred))
    torch.testing.assert_close(
        joiner.label_log_probs(enc, pred), plain.label_log_probs(enc, pred)
    )


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
            assert one.score == pytest.approx(score, rel=1e-5, abs=4e-4)
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


def learn(config, batch, updates=60):
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


def count_evaluations(search, model, batch, monkeypatch):
    """Search; return errors and the cells in which the joiner was evaluated."""
    counts = []
    forward = Joiner.forward

    def count(self, enc_proj, pred_proj):
        logits = forward(self, enc_proj, pred_proj)
        counts.append(logits[..., 0].numel())
        return logits

    with monkeypatch.context() as patch:
        patch.setattr(Joiner, "forward", count)
        found = search(model, batch.enc_out, batch.enc_lens)
    pairs = zip(found, batch.tokens.tolist(), strict=True)
    return sum(nbest[0].tokens != text for nbest, text in pairs), sum(counts)


def test_what_is_learnt_by_heart_is_found_with_few_evaluations(monkeypatch):
    batch = make_batch()
    model = learn(FusedLossConfig(weights={"transducer": 1.0}), batch)
    searches = [GreedySearch(10), BeamSearch(4, prune=8.0)]
    jumping = [count_evaluations(s, model, batch, monkeypatch) for s in searches]
    # The tokens alone are a plain transducer, which looks at every frame.
    model.joiner.durations = ()
    plain = [count_evaluations(s, model, batch, monkeypatch) for s in searches]
    for (wrong, evaluated), (_, by_frame) in zip(jumping, plain, strict=True):
        assert wrong == 0
        assert by_frame >= 4 * (24 + 5)
        assert evaluated < by_frame / 2


def all_texts_by_jumps(model, enc_out, most, fused=None):
    """Sum all paths of tokens and durations of each text, the best first.

    `most`: labels of duration 0 that a frame may emit.
    """
    durations, T, sums = model.joiner.durations, len(enc_out), defaultdict(list)
    heard = {}

    def hear(text, t):
        if (text, t) not in heard:
            size = model.predictor.context_size
            context = torch.tensor([([0] * size + [*text])[-size:]])
            pred = model.joiner.pred_proj(model.predictor.contexts(context))[0, 0]
            enc = model.joiner.enc_proj(enc_out[t])
            found = model.joiner.arc_log_probs(enc, pred)
            heard[text, t] = [x.tolist() for x in found]
        return heard[text, t]

    def walk(text, t, emitted, score):
        if t == T:
            end = fused(text, None) if fused else 0.0
            sums[text].append(score + end)
            return
        tokens, q = hear(text, t)
        for i, d in enumerate(durations):
            if 0 < d <= T - t:
                walk(text, t + d, 0, score + tokens[0] + q[i])
            if d < T - t and (d or emitted < most):
                for label in range(1, len(tokens)):
                    more = tokens[label] + (fused(text, label) if fused else 0.0)
                    again = emitted + 1 if d == 0 else 0
                    walk((*text, label), t + d, again, score + more + q[i])

    walk((), 0, 0, 0.0)
    added = {t: float(torch.tensor(x).double().logsumexp(0)) for t, x in sums.items()}
    return sorted(added.items(), key=lambda item: -item[1])


@pytest.mark.parametrize("scale", [0.0, 0.5])
@pytest.mark.parametrize("durations", [(0, 1, 2), (1, 2), (3, 1, 0)], ids=str)
@torch.no_grad()
def test_a_wide_beam_sums_all_paths(durations, scale):
    lm = Bigram(3)
    fusion = Fusion([(lm, scale)] if scale else [])
    search = BeamSearch(500, 500, max_symbols=1, fusion=fusion)
    for seed in range(3):
        model = make_model(3, seed, durations=durations)
        enc_out = encode(4, seed)
        (found,) = search(model, enc_out, torch.tensor([4]))
        fused = (lambda *arc: scale * lm.by_text(*arc)) if scale else None
        expected = all_texts_by_jumps(model, enc_out[0], 1, fused)
        assert len(found) == len(expected) > 5
        by_text = {tuple(one.tokens): one for one in found}
        for text, score in expected:
            assert by_text[text].score == pytest.approx(score, abs=1e-4)
            assert len(by_text[text].frames) == len(text)
        if 0 not in durations and not scale:  # nothing that max_symbols takes away
            for one in found:
                loss = -one.score
                assert loss == pytest.approx(loss_of(model, enc_out, one), abs=1e-4)


def loss_of(model, enc_out, hypothesis):
    """Return the loss of a hypothesis."""
    tokens = torch.tensor([hypothesis.tokens], dtype=torch.int64)
    joiner = model.joiner
    pred_proj = joiner.pred_proj(model.predictor(tokens))
    logits = joiner(joiner.enc_proj(enc_out)[:, :, None], pred_proj[:, None])
    lens = torch.tensor([enc_out.shape[1]]), torch.tensor([tokens.shape[1]])
    return float(transducer_loss(logits, tokens, *lens, durations=joiner.durations))


@pytest.mark.parametrize("scale", [0.0, 0.5])
@pytest.mark.parametrize("prune", [math.inf, 1.0])
def test_a_beams_result_does_not_depend_on_its_batch(prune, scale):
    fusion = Fusion([(Bigram(), scale)] if scale else [])
    search = BeamSearch(4, 4, prune=prune, fusion=fusion)
    model = make_model(durations=DURATIONS)
    lens = torch.tensor([12, 1, 30, 7, 0])
    enc_out = encode(30).repeat(5, 1, 1) + torch.arange(5)[:, None, None]
    for b, T in enumerate(lens.tolist()):
        enc_out[b, T:] = 1e4
    together = search(model, enc_out, lens)
    for b, T in enumerate(lens.tolist()):
        alone = search(model, enc_out[b : b + 1, : max(T, 1)], lens[b : b + 1])[0]
        assert len(together[b]) == len(alone) > 0
        for one, other in zip(together[b], alone, strict=True):
            assert (one.tokens, one.frames) == (other.tokens, other.frames)
            assert one.score == pytest.approx(other.score, abs=1e-4)
        assert [one.score for one in alone] == sorted(
            (one.score for one in alone), reverse=True
        )
    assert together[4][0].tokens == []


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
