"""The frame-wise criteria through a model, against one frame after the other."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from asrkit.losses.criterion import Encoded
from asrkit.losses.ctc import CtcLossConfig
from asrkit.losses.viterbi import ViterbiLossConfig
from asrkit.models.asr_model import ModelConfig
from asrkit.models.conformer import ConformerConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.models.predictor import PredictorConfig
from asrkit.transducer.frame_wise import compact_labels
from asrkit.transducer.rules import Topology
from tests.unit.losses.test_criteria import with_features

V = 9


def make_model(context_size=2, num_layers=3, hat=False):
    torch.manual_seed(0)
    encoder = ConformerConfig(
        num_layers=num_layers, dim=16, num_heads=2, ff_dim=16, kernel_size=3,
        dropout=0.0, subsampling_channels=2,
    )  # fmt: skip
    return ModelConfig(
        encoder=encoder,
        predictor=PredictorConfig(dim=8, context_size=context_size, dropout=0.0),
        joiner=JoinerConfig(dim=8, hat=hat),
    ).build(num_bins=80, vocab_size=V)


def make_batch(model, lens=(40, 29, 13), carried=True):
    feat_lens = torch.tensor(lens)
    layers, enc_lens = model.encode_layers(
        torch.randn(len(lens), max(lens), 80), feat_lens
    )
    B, T = layers[-1].shape[:2]
    alignment = torch.randint(1, V, (B, T)) * (torch.rand(B, T) < 0.4)
    alignment[torch.arange(T) >= enc_lens[:, None]] = 0
    context_size = model.predictor.context_size
    batch = Encoded(
        layers[-1],
        enc_lens,
        *compact_labels(alignment),
        layers=layers,
        alignment=alignment,
        carried=torch.randint(0, V, (B, context_size)) if carried else None,
    )
    return with_features(batch)


def frame_by_frame(model, batch):
    """Yield utterance, label and the joiner's log-probabilities of every frame."""
    size = model.predictor.context_size
    for b, frames in enumerate(batch.enc_lens.tolist()):
        seen = [0] * size if batch.carried is None else batch.carried[b].tolist()
        for t in range(frames):
            pred = model.predictor.after(torch.tensor(seen[-size:]))
            logits = model.joiner(
                model.joiner.enc_proj(batch.enc_out[b, t]),
                model.joiner.pred_proj(pred),
            )
            y = int(batch.alignment[b, t])
            yield y, normalize(logits, model.joiner.hat)
            seen += [y] if y else []


def normalize(logits, hat):
    """Turn logits (V,) into log-probabilities."""
    if not hat:
        return logits.log_softmax(-1)
    blank = logits[:1].sigmoid()
    return torch.cat([blank, (1 - blank) * logits[1:].softmax(-1)]).log()


def alone(name, **options):
    return ViterbiLossConfig(weights={name: 1.0}, **options)


@pytest.mark.parametrize("hat", [False, True])
@pytest.mark.parametrize("context_size", [1, 2])
@pytest.mark.parametrize("carried", [False, True])
def test_the_joiners_loss_is_the_sum_over_frames(context_size, carried, hat):
    model = make_model(context_size, hat=hat)
    batch = make_batch(model, carried=carried)
    output = alone("transducer").build(model)(model, batch)
    expected, right, labels = 0.0, 0, 0
    for y, log_probs in frame_by_frame(model, batch):
        expected -= 0.8 * log_probs[y] + 0.2 * log_probs.mean()
        expected -= 5.0 * log_probs[y] if y else 0.0
        right += int(log_probs.argmax() == y)
        labels += int(log_probs.argmax() == y != 0)
    torch.testing.assert_close(output.loss, expected)
    assert output.stats["frames_right"] == right
    assert output.stats["labels_right"] == labels
    assert output.weight == batch.enc_lens.sum()


def test_padding_is_not_counted_as_right():
    model = make_model()
    batch = make_batch(model)
    with torch.no_grad():
        model.joiner.output.bias[0] = 100.0
    stats = alone("transducer").build(model)(model, batch).stats
    frames, labels = batch.enc_lens.sum(), batch.token_lens.sum()
    assert stats["frames_right"] == frames - labels
    assert stats["labels_right"] == 0


@pytest.mark.parametrize("hat", [False, True])
def test_gradients_of_the_joiners_loss_are_those_of_the_sum_over_frames(hat):
    model = make_model(hat=hat)
    batch = make_batch(model)
    config = alone("transducer", label_smoothing=0.0, label_boost=2.0)
    loss = config.build(model)(model, batch).loss
    expected = sum(
        -(3.0 if y else 1.0) * log_probs[y]
        for y, log_probs in frame_by_frame(model, batch)
    )
    trained = [
        p
        for part in (model.encoder, model.predictor, model.joiner)
        for p in part.parameters()
    ]
    for one, other in zip(
        torch.autograd.grad(loss, trained, retain_graph=True),
        torch.autograd.grad(expected, trained),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "num_layers", "block"),
    [("encoder", 3, 2), ("middle", 12, 5), ("middle", 3, 1), ("middle", 1, 0)],
)
def test_a_head_sits_on_its_block(name, num_layers, block):
    model = make_model(num_layers=num_layers)
    batch = make_batch(model)
    criterion = alone(name, focal_factor=2.0).build(model)
    found = criterion(model, batch).loss
    head = criterion.criteria[name].head
    expected = 0.0
    for b, frames in enumerate(batch.enc_lens.tolist()):
        for t in range(frames):
            p = head(batch.layers[block][b, t]).softmax(-1)[batch.alignment[b, t]]
            expected -= (1 - p) ** 2 * p.log()
    torch.testing.assert_close(found, expected)


def test_all_criteria_together_reach_all_that_they_train():
    model = make_model()
    batch = make_batch(model)
    config = ViterbiLossConfig()
    config.weights["ctc"] = 0.5
    criterion = config.build(model)
    assert criterion.modules_used == {
        "encoder", "predictor", "joiner", "ctc_head", "timing_head",
    }  # fmt: skip
    assert config.paths is Topology.MONOTONIC
    output = criterion(model, batch)
    parts = {name: output.stats[name] for name in config.weights}
    shown = {n: part for n, part in parts.items() if n != "timing"}
    expected = sum(config.weights[name] * part for name, part in shown.items())
    torch.testing.assert_close(output.loss.detach(), expected)
    ctc = CtcLossConfig().build(model)(model, batch)
    torch.testing.assert_close(parts["ctc"], ctc.loss.detach())
    output.loss.backward()
    for name, parameter in [*criterion.named_parameters(), *model.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_heads_alone_train_the_encoder_alone():
    model = make_model()
    config = ViterbiLossConfig(weights={"encoder": 1.0, "middle": 0.3})
    assert config.build(model).modules_used == {"encoder"}


def test_padding_changes_nothing():
    model = make_model()
    batch = make_batch(model)
    criterion = ViterbiLossConfig().build(model)
    total = criterion(model, batch).loss
    parts = []
    for b, frames in enumerate(batch.enc_lens.tolist()):
        row = slice(b, b + 1)
        parts.append(
            criterion(
                model,
                Encoded(
                    batch.enc_out[row, :frames],
                    batch.enc_lens[row],
                    batch.tokens[row],
                    batch.token_lens[row],
                    layers=[layer[row, :frames] for layer in batch.layers],
                    alignment=batch.alignment[row, :frames],
                    carried=batch.carried[row],
                    feats=batch.feats[row, : 4 * frames],
                    feat_lens=batch.feat_lens[row],
                ),
            ).loss
        )
    torch.testing.assert_close(total, torch.stack(parts).sum())


class Largest(TorchDispatchMode):
    """Notes the elements of the largest tensor that an operation gives."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return out


def test_nothing_is_larger_than_one_cell_a_frame():
    model = make_model()
    with torch.no_grad():  # the encoder's attention is (B, heads, T, T)
        batch = make_batch(model, lens=(400, 300))
    config = ViterbiLossConfig()
    config.weights["timing"] = 0.0  # it hears four frames of features
    criterion = config.build(model)
    with Largest() as largest:
        criterion(model, batch).loss.backward()
    B, T, D = batch.enc_out.shape
    assert batch.tokens.shape[1] > 30
    assert B * T * V <= largest.elements <= B * T * D


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"label_smoothing": 1.0},
            "loss.label_smoothing must be at least 0 and below 1",
        ),
        ({"label_boost": -1.0}, "loss.label_boost must be at least 0, got -1"),
        ({"focal_factor": -0.5}, "loss.focal_factor must be at least 0, got -0.5"),
        ({"weights": {"head": 1.0}}, "loss.weights.head: no such criterion"),
    ],
)
def test_wrong_values_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ViterbiLossConfig(**change)
