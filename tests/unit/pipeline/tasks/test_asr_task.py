"""The task: what is trained, and sums that do not depend on the batch."""

from dataclasses import replace

import torch
from torch import nn

from asrkit.data.batches.batch import Batch
from asrkit.data.features.augment import AugmentConfig
from asrkit.data.features.fbank import FeaturesConfig
from asrkit.losses.ctc import CtcLossConfig
from asrkit.losses.full import FullLossConfig
from asrkit.models.asr_model import ModelConfig
from asrkit.models.conformer import ConformerConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.models.predictor import PredictorConfig
from asrkit.pipeline.tasks.asr_task import AsrTask


def make_task(loss, frozen=(), num_layers=1):
    torch.manual_seed(0)
    encoder = ConformerConfig(
        num_layers=num_layers, dim=16, num_heads=2, ff_dim=16, kernel_size=3,
        dropout=0.0, subsampling_channels=2,
    )  # fmt: skip
    model = ModelConfig(
        encoder=encoder,
        predictor=PredictorConfig(dim=8, dropout=0.0),
        joiner=JoinerConfig(dim=8),
    ).build(num_bins=80, vocab_size=7)
    return AsrTask(
        model, loss.build(model), FeaturesConfig().build(),
        AugmentConfig().spec.build(),
        freeze=frozen,
    )  # fmt: skip


def make_batch(rows):
    torch.manual_seed(1)
    lens = torch.tensor([8000, 5000, 3000])
    token_lens = torch.tensor([3, 2, 0])
    signal = torch.randn(3, 8000) * (torch.arange(8000) < lens[:, None])
    tokens = torch.randint(1, 7, (3, 3)) * (torch.arange(3) < token_lens[:, None])
    width = int(token_lens[rows].max())
    return Batch(
        ids=[str(r) for r in rows], texts=[""] * len(rows), speakers=[None] * len(rows),
        signal=signal[rows, : int(lens[rows].max())], signal_lens=lens[rows],
        tokens=tokens[rows, :width], token_lens=token_lens[rows],
        durations=[0.5] * len(rows),
    )  # fmt: skip


def test_the_loss_of_a_batch_is_the_sum_of_its_utterances():
    task = make_task(FullLossConfig()).eval()
    whole = task(make_batch([0, 1, 2]))
    alone = [task(make_batch([row])) for row in range(3)]
    torch.testing.assert_close(whole.loss, sum(one.loss for one in alone))
    assert whole.weight == sum(one.weight for one in alone)
    for name in ("transducer", "ctc", "frames", "tokens", "utterances"):
        assert name in whole.stats
        torch.testing.assert_close(
            whole.stats[name], sum(one.stats[name] for one in alone)
        )
    combined = whole.stats["transducer"] + 0.3 * whole.stats["ctc"]
    torch.testing.assert_close(whole.loss.detach(), combined)


@torch.no_grad()
def test_stored_features_are_encoded_as_computed_ones_and_as_in_decoding():
    task, batch = make_task(FullLossConfig()).eval(), make_batch([0, 1, 2])
    feats, feat_lens = task.features(batch.signal, batch.signal_lens)
    stored = replace(batch, signal=feats, signal_lens=feat_lens)
    assert stored.has_features
    enc_out, enc_lens = task.model.encode(feats, feat_lens)
    for encoded in (task.encode(batch), task.encode(stored)):
        assert torch.equal(encoded.enc_out, enc_out)
        assert torch.equal(encoded.enc_lens, enc_lens)


def test_every_trainable_parameter_gets_a_gradient_and_no_other():
    for loss, frozen in (
        (FullLossConfig(), ()),
        (CtcLossConfig(), ()),
        (FullLossConfig(), ("predictor",)),
        (FullLossConfig(weights={"transducer": 1.0}), ()),
    ):
        task = make_task(loss, frozen)
        task(make_batch([0, 1, 2])).loss.backward()
        for name, parameter in task.named_parameters():
            assert (parameter.grad is not None) == parameter.requires_grad, name
    trainable = {n.split(".")[1] for n, p in task.named_parameters() if p.requires_grad}
    assert trainable == {"encoder", "predictor", "joiner"}


def test_two_halves_of_a_batch_give_the_gradient_of_the_whole():
    # In float64: sums of unnormalised gradients cancel to far less than their terms.
    task = make_task(FullLossConfig()).double().eval()
    batch = make_batch([0, 1, 2])
    batch = replace(batch, signal=batch.signal.double())
    sums = []
    for parts in ([batch], batch.split(1)):
        task.zero_grad()
        outputs = [task(part) for part in parts]
        for output in outputs:
            output.loss.backward()
        gradients = [p.grad for p in task.parameters() if p.grad is not None]
        weight = sum(output.weight for output in outputs)
        sums.append([weight, torch.cat([g.flatten() for g in gradients])])
    assert sums[0][0] == sums[1][0]
    torch.testing.assert_close(sums[0][1], sums[1][1])


def test_what_takes_the_memory_is_named_with_the_keys_to_change():
    explained = make_task(FullLossConfig()).explain_memory(make_batch([0, 1, 2]))
    assert "B = 3 utterances, 1.5 s in all" in explained
    assert "T = 13 encoder frames and U = 3 tokens, of V = 7" in explained
    for key in (
        "loss=full", "data.max_duration", "encoder.checkpoint_activations=true",
        "loss=fused", "data.max_seconds",
    ):  # fmt: skip
        assert key in explained


def test_two_views_of_a_batch_are_trained_on_as_one():
    """Without augmentation both are the batch: losses double, per frame they stay."""
    weights = {"transducer": 1.0, "ctc": 0.3}
    task = make_task(FullLossConfig(weights=weights))
    seen = make_task(FullLossConfig(weights={**weights, "cr_ctc": 0.2}))
    for one in (task, seen):
        one.augment = nn.Identity()
        one.augment.forward = lambda feats, lens: feats
    batch = make_batch([0, 1, 2])
    once, twice = task.train()(batch), seen.train()(batch)
    torch.testing.assert_close(twice.loss / twice.weight, once.loss / once.weight)
    assert twice.weight == 2 * once.weight
    assert twice.stats["utterances"] == once.stats["utterances"] == 3
    torch.testing.assert_close(seen.eval()(batch).loss, task.eval()(batch).loss)
