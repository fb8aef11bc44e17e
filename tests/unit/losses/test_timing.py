"""CTC with label priors: against all paths, and nobody else's gradient."""

import itertools
from dataclasses import replace

import pytest
import torch

from asrkit.losses import timing
from asrkit.losses.criterion import Encoded
from asrkit.losses.ctc import CtcLossConfig
from asrkit.losses.fused import FusedLossConfig
from asrkit.losses.timing import TimingCriterion, prior_ctc_loss
from asrkit.models.timing_head import CONTEXT, PRIOR_SCALE, TimingHead, divide_by_prior
from asrkit.utils.training_progress import TrainingProgress
from tests.unit.losses.test_criteria import make_batch, make_model

V = 4
ENC_LENS = torch.tensor([5, 4, 2])
TOKENS = torch.tensor([[2, 2, 3], [1, 3, 0], [1, 1, 0]])
TOKEN_LENS = torch.tensor([3, 2, 2])


def collapse(path):
    return [label for label, _ in itertools.groupby(path) if label]


def by_all_paths(logits, tokens):
    """Return the loss of one utterance, logits (T, V)."""
    T = len(logits)
    p = logits.softmax(dim=-1)
    q = p.detach().mean(dim=0)
    scores = (p / q**PRIOR_SCALE).log()
    paths = [
        path
        for path in itertools.product(range(V), repeat=T)
        if collapse(path) == tokens
    ]
    sums = scores[torch.arange(T), torch.tensor(paths)].sum(dim=1)
    return -sums.logsumexp(dim=0)


def test_loss_and_gradient_are_those_of_the_sum_over_all_paths():
    logits = (3 * torch.randn(3, 5, V)).double().requires_grad_()
    losses = prior_ctc_loss(logits, TOKENS, ENC_LENS, TOKEN_LENS)
    expected = torch.stack(
        [
            by_all_paths(logits[b, : ENC_LENS[b]], TOKENS[b, : TOKEN_LENS[b]].tolist())
            for b in range(2)
        ]
    )
    torch.testing.assert_close(losses[:2], expected)
    assert losses[2] == 0  # two equal labels and a blank do not fit in two frames
    factors = torch.tensor([0.7, 2.0, 1.0])
    (gradient,) = torch.autograd.grad(losses @ factors.double(), logits)
    (same,) = torch.autograd.grad(expected @ factors[:2].double(), logits)
    torch.testing.assert_close(gradient, same)
    assert not gradient[2].any()


def test_the_prior_is_the_mean_of_valid_frames():
    log_probs = torch.randn(3, 5, V).log_softmax(dim=-1)
    found = divide_by_prior(log_probs, ENC_LENS)
    for row, scores, T in zip(log_probs, found, ENC_LENS, strict=True):
        prior = row[:T].exp().mean(dim=0)
        torch.testing.assert_close(scores[:T], row[:T] - 1.5 * prior.log())


def test_a_frame_hears_the_features_around_it_wherever_the_batch_ends():
    head = TimingHead(num_bins=8, vocab_size=V, subsampling=4)
    feats, lens = torch.randn(2, 43, 8), torch.tensor([43, 30])
    whole = head(feats, lens, 11)
    assert whole.shape == (2, 11, V)
    alone = head(feats[1:, :30], lens[1:], 8)
    torch.testing.assert_close(whole[1, :8], alone[0])
    other = feats.clone()
    other[0, 20] += 1.0
    changed = (head(other, lens, 11) != whole).any(dim=2)
    frames = torch.arange(11)
    # Frame t is made of features 4 t to 4 t + 3 and CONTEXT on either side.
    near = (4 * frames - CONTEXT <= 20) & (4 * frames + 4 + CONTEXT > 20)
    assert torch.equal(changed, torch.stack([near, torch.zeros(11, dtype=torch.bool)]))


def heard(**changes):
    """Return an encoded batch with features that the encoder knows nothing of."""
    enc_out, enc_lens, tokens, token_lens = make_batch()
    feats, feat_lens = torch.randn(3, 28, 80), 4 * enc_lens
    batch = Encoded(
        enc_out, enc_lens, tokens, token_lens, feats=feats, feat_lens=feat_lens
    )
    return replace(batch, **changes)


@pytest.mark.parametrize("config", [FusedLossConfig, CtcLossConfig])
def test_it_changes_nothing_for_the_others(config):
    results = []
    for weight in (0.0, 1.0):
        model = make_model()
        criterion = config().build(model)
        if not weight:
            weights = config().weights | {"timing": 0.0}
            criterion = config(weights=weights).build(model)
        enc_out = make_batch()[0].requires_grad_()
        output = criterion(model, heard(enc_out=enc_out))
        output.loss.backward()
        head = [p.grad for p in model.timing_head.parameters()]
        assert all((g is not None and bool(g.any())) == bool(weight) for g in head)
        rest = [p.grad for n, p in model.named_parameters() if "timing" not in n]
        results.append([enc_out.grad, output.loss.detach(), rest])
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    for one, other in zip(results[0][2], results[1][2], strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other)


def test_of_two_views_it_hears_the_utterances_once():
    model = make_model()
    once, _ = TimingCriterion().eval()(model, heard())
    enc_out, *rest = make_batch()
    doubled = [x.repeat(2, *[1] * (x.ndim - 1)) for x in (enc_out, *rest)]
    feats = heard()
    both = Encoded(*doubled, feats=feats.feats, feat_lens=feats.feat_lens, views=2)
    torch.testing.assert_close(TimingCriterion().eval()(model, both)[0], 2 * once)


def test_it_learns_in_one_update_of_four_and_that_counts_for_all():
    model, criterion = make_model(), TimingCriterion()
    losses = []
    for update in range(8):
        criterion.progress = TrainingProgress(0.5, update)
        losses.append(float(criterion(model, heard())[0].detach()))
    once = float(criterion.eval()(model, heard())[0].detach())
    assert losses == pytest.approx([4 * once, 0, 0, 0] * 2)


def test_of_a_large_batch_some_utterances_count_for_all(monkeypatch):
    model, batch = make_model(), heard()
    monkeypatch.setattr(timing, "_NUMBERS", 2 * 7 * model.vocab_size)
    logits = model.timing_logits(batch.feats[:2], batch.feat_lens[:2])
    expected = prior_ctc_loss(logits, *(x[:2] for x in batch.targets)).sum() * 1.5
    torch.testing.assert_close(TimingCriterion().eval()(model, batch)[0], expected)


def test_a_model_from_before_keeps_its_own_head():
    state, model = make_model().state_dict(), make_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5)
    old = {k: v for k, v in state.items() if not k.startswith("timing_head")}
    model.load_state_dict(old)
    for name, found in model.state_dict().items():
        kept = torch.full_like(found, 0.5)
        assert torch.equal(found, kept if "timing_head" in name else state[name]), name
    del old["ctc_head.bias"]
    with pytest.raises(RuntimeError, match="ctc_head"):
        model.load_state_dict(old)


def test_others_draw_the_random_numbers_that_they_drew_without_it():
    torch.manual_seed(0)
    head = TimingHead(80, V, 4)
    assert head.output.weight.std() > 0
    drawn = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(3))


def test_the_timing_head_alone_is_no_run():
    with pytest.raises(ValueError, match="at least one criterion"):
        CtcLossConfig(weights={"ctc": 0.0, "timing": 1.0})
