"""Criteria: the same loss by other ways, schedules, and what is counted."""

import math
from dataclasses import replace

import pytest
import torch

from asrkit.losses.criterion import Encoded
from asrkit.losses.exact import OF_JUMPS, summarize_jumps
from asrkit.losses.full import FullLossConfig
from asrkit.losses.fused import FusedLossConfig
from asrkit.losses.pruned import PrunedLossConfig, Scales
from asrkit.losses.sample_wise import SampleWiseLossConfig
from asrkit.losses.sampled import SampledLossConfig
from asrkit.models.asr_model import ModelConfig
from asrkit.models.conformer import ConformerConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.models.predictor import PredictorConfig
from asrkit.transducer.full import transducer_loss
from asrkit.utils.training_progress import TrainingProgress

V = 9


def make_model(hat=False, durations=()):
    torch.manual_seed(0)
    encoder = ConformerConfig(
        num_layers=1, dim=16, num_heads=2, ff_dim=16, kernel_size=3, dropout=0.0,
        subsampling_channels=2,
    )  # fmt: skip
    return ModelConfig(
        encoder=encoder,
        predictor=PredictorConfig(dim=8, dropout=0.0),
        joiner=JoinerConfig(dim=8, hat=hat, durations=[*durations]),
    ).build(num_bins=80, vocab_size=V)


def make_batch():
    torch.manual_seed(1)
    enc_out = torch.randn(3, 7, 16)
    tokens = torch.randint(1, V, (3, 4))
    return enc_out, torch.tensor([7, 5, 4]), tokens, torch.tensor([4, 2, 0])


def with_features(batch):
    """Return an encoded batch with features that its encoder knows nothing of."""
    B, T, _ = batch.enc_out.shape
    feats = torch.randn(B, 4 * T, 80, generator=torch.Generator().manual_seed(2))
    return replace(batch, feats=feats, feat_lens=4 * batch.enc_lens)


def compute(config, *, share=0.0, update=0, train=True, hat=False, durations=()):
    """Return loss, stats and the gradient by enc_out and the joiner's parameters."""
    model = make_model(hat, durations)
    criterion = config.build(model).train(train)
    criterion.announce(TrainingProgress(share, update))
    enc_out, *batch = make_batch()
    enc_out.requires_grad_()
    output = criterion(model, with_features(Encoded(enc_out, *batch)))
    output.loss.backward()
    joiner = torch.cat([p.grad.flatten() for p in model.joiner.parameters()])
    return output, (enc_out.grad, joiner)


def compute_parts(config, *, share=0.0, train=True):
    """Return the sums that a criterion logs."""
    model = make_model()
    criterion = config.build(model).train(train)
    criterion.announce(TrainingProgress(share))
    return criterion(model, with_features(Encoded(*make_batch()))).stats


def assert_same(one, other):
    torch.testing.assert_close(one[0].loss, other[0].loss)
    for a, b in zip(one[1], other[1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("topology", ["REGULAR", "MONOTONIC", "CONSTRAINED"])
@pytest.mark.parametrize("hat", [False, True])
def test_all_ways_to_the_exact_loss_agree(topology, hat):
    from asrkit.transducer.rules import Topology

    options = {"topology": Topology[topology], "delay_penalty": 0.01}
    expected = compute(FullLossConfig(**options), hat=hat)
    weights = {"transducer": 1.0, "ctc": 0.3}
    for config in (
        FusedLossConfig(**options),
        SampleWiseLossConfig(max_cells=20, **options),
        SampledLossConfig(num_samples=V, **options),
        SampledLossConfig(
            num_samples=V, proposal="unigram", weights=weights, **options
        ),
    ):
        assert_same(compute(config, hat=hat), expected)


@pytest.mark.parametrize("hat", [False, True])
def test_the_exact_loss_takes_the_joiners_distribution(hat):
    model = make_model(hat)
    enc_out, enc_lens, tokens, token_lens = make_batch()
    pred_proj = model.joiner.pred_proj(model.predictor(tokens))
    enc_proj = model.joiner.enc_proj(enc_out)
    log_probs = model.joiner.log_probs(enc_proj[:, :, None], pred_proj[:, None])
    # What is normalised stays as it is in a softmax.
    expected = transducer_loss(log_probs, tokens, enc_lens, token_lens)
    found = compute(FullLossConfig(), hat=hat)[0].stats["transducer"]
    torch.testing.assert_close(found, expected.detach())


@pytest.mark.parametrize("hat", [False, True])
def test_all_exact_losses_train_durations(hat):
    options = {"omega": 0.0, "sigma": 0.3, "delay_penalty": 0.01}
    given = {"hat": hat, "durations": [0, 1, 3]}
    expected = compute(FullLossConfig(**options), **given)
    for config in (
        FusedLossConfig(**options),
        SampleWiseLossConfig(max_cells=20, **options),
    ):
        assert_same(compute(config, **given), expected)
    # Only training takes sigma from the arcs.
    plain = replace(FullLossConfig(**options), sigma=0.0)
    validated = compute(FullLossConfig(**options), train=False, **given)
    assert_same(validated, compute(plain, **given))
    assert expected[0].loss > validated[0].loss


@pytest.mark.parametrize("kind", [FullLossConfig, FusedLossConfig])
def test_some_batches_train_the_tokens_alone(kind):
    model = make_model(durations=[0, 1, 3])
    enc_out, *batch = make_batch()
    criterion = kind(weights={"transducer": 1.0}, omega=1 - 1e-9).build(model)
    found = criterion(model, Encoded(enc_out, *batch)).loss
    found.backward()
    of_tokens, of_durations = model.joiner.output.weight.grad.split([V, 3])
    assert of_tokens.any()
    assert not of_durations.any()
    enc_proj = model.joiner.enc_proj(enc_out)[:, :, None]
    pred_proj = model.joiner.pred_proj(model.predictor(batch[1]))[:, None]
    enc_lens, tokens, token_lens = batch
    logits = model.joiner(enc_proj, pred_proj)[..., :V]
    expected = transducer_loss(logits, tokens, enc_lens, token_lens)
    torch.testing.assert_close(found, expected)
    # Validation takes the durations.
    validated = criterion.eval()(model, Encoded(enc_out, *batch)).loss
    never = kind(weights={"transducer": 1.0}, omega=0.0, sigma=0.0).build(model)
    torch.testing.assert_close(validated, never(model, Encoded(enc_out, *batch)).loss)


@pytest.mark.parametrize("config", [FullLossConfig(), FusedLossConfig()])
@pytest.mark.parametrize("train", [False, True])
def test_what_durations_are_like_is_summed(config, train):
    config = replace(config, omega=0.0, sigma=0.1)
    output, _ = compute(config, durations=[0, 1, 3], train=train)
    stats = {name: float(output.stats[name]) for name in OF_JUMPS}
    # All arcs of a path together move on from the first frame past the last.
    assert stats["arc_frames"] == pytest.approx(7 + 5 + 4, abs=1e-4)
    # The expected number of arcs is what a cost of each arc adds to the loss.
    model, (enc_out, *batch) = make_model(durations=[0, 1, 3]), make_batch()
    enc_proj = model.joiner.enc_proj(enc_out)[:, :, None]
    pred_proj = model.joiner.pred_proj(model.predictor(batch[1]))[:, None]
    logits = model.joiner(enc_proj, pred_proj).double().detach()
    enc_lens, tokens, token_lens = batch
    losses = [
        transducer_loss(
            logits, tokens, enc_lens, token_lens, durations=(0, 1, 3), sigma=sigma
        )
        for sigma in (0.1 * train - 1e-4, 0.1 * train + 1e-4)
    ]
    arcs = float(losses[1] - losses[0]) / 2e-4
    assert stats["arcs"] == pytest.approx(arcs, rel=1e-4)
    shown = summarize_jumps(stats)
    assert shown["mean_jump"] == pytest.approx(16 / arcs, rel=1e-4)
    assert 0 < shown["duration_entropy"] < math.log(3)
    model.joiner.output.weight.data[V:] = 0.0  # all durations alike
    model.joiner.output.bias.data[V:] = 0.0
    stats = config.build(model)(model, with_features(Encoded(*make_batch()))).stats
    alike = summarize_jumps({name: float(stats[name]) for name in OF_JUMPS})
    assert alike["duration_entropy"] == pytest.approx(math.log(3), rel=1e-5)


def test_without_durations_there_is_nothing_to_say_of_them():
    output, _ = compute(FusedLossConfig())
    assert not {*OF_JUMPS} & {*output.stats}
    assert summarize_jumps({"loss": 1.0}) == {}
    # Batches of the tokens alone add nothing.
    output, _ = compute(FusedLossConfig(omega=1 - 1e-9), durations=[0, 1, 3])
    assert [float(output.stats[name]) for name in OF_JUMPS] == [0.0, 0.0, 0.0]


def test_sampling_ends_and_validation_sees_all_tokens():
    config = SampledLossConfig(num_samples=1, log_q_correction=False, until=0.5)
    exact = compute(FullLossConfig())
    assert_same(compute(config, train=False), exact)
    assert_same(compute(config, share=0.5), exact)
    sampled = compute(config, share=0.4)[0].loss
    assert sampled < exact[0].loss  # a smaller denominator


def test_the_unigram_proposal_counts_labels():
    from asrkit.losses.sampled import Proposal

    model = make_model()
    config = SampledLossConfig(num_samples=1, proposal=Proposal.UNIGRAM)
    criterion = config.build(model)
    _, _, tokens, _ = batch = make_batch()
    criterion(model, with_features(Encoded(*batch)))
    valid = [*tokens[0].tolist(), *tokens[1, :2].tolist()]
    counts = criterion.criteria["transducer"].counts - 1
    assert counts.tolist() == [valid.count(token) for token in range(V)]


@pytest.mark.parametrize("hat", [False, True])
def test_a_wide_band_is_the_full_loss_beside_the_simple_one(hat):
    config = PrunedLossConfig(s_range=5, warmup_updates=10, weights={"transducer": 1})
    full = compute(FullLossConfig(weights={"transducer": 1}), hat=hat)[0]
    found = compute(config, update=10, hat=hat)[0]
    torch.testing.assert_close(found.stats["pruned_loss"], full.loss.detach())
    expected = 0.5 * found.stats["simple_loss"] + full.loss.detach()
    torch.testing.assert_close(found.loss.detach(), expected)
    early = compute(config, update=0, hat=hat)[0]
    expected = early.stats["simple_loss"] + 0.1 * full.loss.detach()
    torch.testing.assert_close(early.loss.detach(), expected)


@pytest.mark.parametrize("hat", [False, True])
@pytest.mark.parametrize("s_range", [2, 3])
def test_the_band_may_be_taken_utterance_by_utterance(s_range, hat):
    config = {"s_range": s_range, "warmup_updates": 0}
    assert_same(
        compute(PrunedLossConfig(**config, max_cells=10), hat=hat),
        compute(PrunedLossConfig(**config), hat=hat),
    )


def test_scales_move_during_the_warmup():
    scales = Scales(simple=0.5, warmup=2000)
    assert scales.at(TrainingProgress(0.0, 0)) == (1.0, 0.1)
    assert scales.at(TrainingProgress(0.01, 1000)) == (0.75, 0.55)
    assert scales.at(TrainingProgress(0.02, 5000)) == (0.5, 1.0)
    # A short training has the real loss for most of its time.
    assert scales.at(TrainingProgress(0.1, 50)) == (0.75, 0.55)


@pytest.mark.parametrize(
    "config",
    [FullLossConfig, FusedLossConfig, SampleWiseLossConfig, PrunedLossConfig],
)
def test_utterances_without_a_path_are_counted(config):
    from asrkit.transducer.rules import Topology

    model = make_model()
    criterion = config(topology=Topology.MONOTONIC).build(model)
    enc_out, _, tokens, token_lens = make_batch()
    enc_lens = torch.tensor([7, 1, 4])
    batch = Encoded(enc_out, enc_lens, tokens, token_lens)
    output = criterion(model, with_features(batch))
    assert output.stats["without_path"] == 1
    assert output.loss.isfinite()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": {"transducer": 1.0}}, "give loss.weights.ctc a"),
        ({"num_samples": 0}, "loss.num_samples must be at least 1, got 0"),
    ],
)
def test_a_sample_that_cannot_be_drawn_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        SampledLossConfig(**change)


def test_a_band_of_one_row_is_refused():
    with pytest.raises(ValueError, match=r"loss.s_range must be at least 2"):
        PrunedLossConfig(s_range=1)


def test_ctc_comes_first_where_it_is_told_to():
    later = FusedLossConfig(ctc_first=0.25)
    assert later.phases == (0.0, 0.25)
    before = compute_parts(later, share=0.2)
    ctc = FusedLossConfig(weights={"ctc": 0.3, "timing": 1.0})
    alone = compute_parts(ctc, share=0.2)
    both = compute_parts(FusedLossConfig(), share=0.25)
    assert before.keys() == alone.keys()
    torch.testing.assert_close(before, alone)
    torch.testing.assert_close(compute_parts(later, share=0.25), both)
    # Validation sees the whole criterion from the beginning.
    whole = compute_parts(later, train=False)
    assert whole["loss"] == both["loss"]


def test_ctc_first_without_ctc_is_refused():
    with pytest.raises(ValueError, match=r"ctc_first=0.2.*loss.weights.ctc"):
        FusedLossConfig(weights={"transducer": 1.0}, ctc_first=0.2)
