"""The conformer: shapes, positions, and padding that does not leak."""

import math

import pytest
import torch
from torch import nn

from asrkit.models.attention import RelativeAttention, RotaryAttention, rotate
from asrkit.models.conformer import ConformerConfig, Positions
from asrkit.models.dropout import Dropout
from asrkit.models.subsampling import ConvSubsampling, subsampled_lens
from asrkit.pipeline.components import COMPONENTS
from tests.unit.test_config import make


def small(positions, **changes):
    values = {
        "num_layers": 2, "dim": 16, "num_heads": 2, "ff_dim": 32, "kernel_size": 5,
        "dropout": 0.0, "subsampling_channels": 4, **changes,
    }  # fmt: skip
    return ConformerConfig(positions=positions, **values).build(num_bins=20)


@pytest.mark.parametrize("positions", list(Positions))
@pytest.mark.parametrize(
    ("factor", "expected"), [(4, [16, 11, 2, 1]), (8, [8, 6, 1, 1])]
)
def test_padding_does_not_leak(positions, factor, expected):
    encoder = small(positions, subsampling=factor).eval()
    lens = torch.tensor([61, 44, 7, 1])
    feats = torch.randn(4, 61, 20)
    together, enc_lens = encoder(feats, lens)
    assert enc_lens.tolist() == expected
    for b, length in enumerate(lens.tolist()):
        alone, _ = encoder(feats[b : b + 1, :length], lens[b : b + 1])
        torch.testing.assert_close(
            together[b, : enc_lens[b]], alone[0], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("positions", list(Positions))
def test_no_gradient_comes_from_padding(positions):
    encoder = small(positions)
    feats = torch.randn(2, 40, 20, requires_grad=True)
    out, enc_lens = encoder(feats, torch.tensor([40, 21]))
    # Weighted: the plain sum over channels of a LayerNorm's output is constant.
    (out[1, : enc_lens[1]] * torch.randn(16)).sum().backward()
    assert feats.grad[1, :21].any()
    assert not feats.grad[1, 21:].any()
    assert not feats.grad[0].any()


@pytest.mark.parametrize("factor", [4, 8])
@pytest.mark.parametrize("num_bins", [20, 80])
def test_subsampling_gives_its_share_rounded_up(factor, num_bins):
    front = ConvSubsampling(num_bins, 4, 6, factor)
    for length in range(1, 41):
        out, lens = front(torch.randn(1, length, num_bins), torch.tensor([length]))
        assert out.shape == (1, math.ceil(length / factor), 6)
        assert lens.tolist() == [math.ceil(length / factor)]
        assert subsampled_lens(torch.tensor([length]), factor).tolist() == lens.tolist()


@pytest.mark.parametrize("factor", [4, 8])
def test_a_frame_sees_none_beyond_its_own(factor):
    front = ConvSubsampling(20, 4, 6, factor).double()
    feats = torch.randn(1, 60, 20, dtype=torch.float64, requires_grad=True)
    out, _ = front(feats, torch.tensor([60]))
    for t in (0, 2, 4):
        (grad,) = torch.autograd.grad(out[0, t].sum(), feats, retain_graph=True)
        seen = grad[0].any(dim=1).nonzero().flatten().tolist()
        first, last = factor * t - (factor - 1), factor * t + (factor - 1)
        assert seen == list(range(max(first, 0), last + 1))


def test_fastconformer_has_the_published_size():
    # "Around 115M", BPE of 1024 (NVIDIA's FastConformer-Transducer L): an encoder, an
    # LSTM of 640 on embeddings of 640, and a joiner of 640.
    V, H = 1025, 640
    predictor = V * H + 4 * H * (2 * H + 2)
    joiner = (512 + 1) * H + (H + 1) * H + (H + 1) * V
    config = make("encoder=fastconformer_105m", "encoder.positions=RELATIVE").encoder
    with torch.device("meta"):
        encoder = config.build(80)
    size = sum(one.numel() for one in encoder.parameters())
    assert size + predictor + joiner == pytest.approx(115e6, rel=0.01)


def test_rotary_scores_depend_on_the_distance_only():
    positions = RotaryAttention.encode_positions(12, 8, like=torch.zeros(1))
    query, key = (torch.randn(8).expand(1, 1, 12, 8) for _ in range(2))
    scores = (rotate(query, positions) @ rotate(key, positions).mT)[0, 0]
    for distance in range(-11, 12):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert scores[0].std() > 0.01


def test_relative_attention_equals_its_definition():
    # Dai et al., 2019: (q_i + u) k_j + (q_i + v) r_{i - j}, one score at a time.
    T, dim, heads = 5, 8, 2
    attention = RelativeAttention(dim, heads)
    torch.nn.init.normal_(attention.content_bias)
    torch.nn.init.normal_(attention.position_bias)
    x = torch.randn(1, T, dim)
    positions = attention.encode_positions(T, dim, like=x)
    mask = torch.tensor([True] * 4 + [False])[None, None, None]
    out = attention(x, positions, mask)
    query, key, value = attention.in_proj(x)[0].view(T, 3, heads, -1).unbind(1)
    offsets = attention.pos_proj(positions).view(2 * T - 1, heads, -1)
    expected = torch.zeros(T, heads, dim // heads)
    for h in range(heads):
        for i in range(T):
            scores = torch.stack(
                [
                    (query[i, h] + attention.content_bias[h, 0]) @ key[j, h]
                    + (query[i, h] + attention.position_bias[h, 0])
                    @ offsets[T - 1 - (i - j), h]
                    for j in range(4)
                ]
            )
            weights = (scores / math.sqrt(dim // heads)).softmax(0)
            expected[i, h] = weights @ value[:4, h]
    torch.testing.assert_close(out[0], attention.out_proj(expected.flatten(1)))


def test_dropout_drops_the_asked_share_and_keeps_the_mean():
    dropout = Dropout(0.25)
    out = dropout(torch.ones(1000, 1001))
    assert (out == 0).float().mean().item() == pytest.approx(0.25, abs=0.005)
    assert out.mean().item() == pytest.approx(1.0, abs=0.005)
    kept = out[out > 0]
    assert (kept == kept[0]).all()
    assert torch.equal(dropout.eval()(out), out)


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="kernel_size must be odd, got 4"):
        ConformerConfig(kernel_size=4)
    with pytest.raises(ValueError, match="multiple of 2"):
        ConformerConfig(dim=20, num_heads=4)
    with pytest.raises(ValueError, match=r"encoder\.subsampling must be 4 or 8, got 6"):
        ConformerConfig(subsampling=6)


def pass_through(encoder, feats, feat_lens):
    """Return output, gradients, bytes kept for backward, and what is drawn next."""
    kept = {}

    def keep(tensor):
        kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    torch.manual_seed(3)
    encoder.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = encoder(feats, feat_lens)[0]
        size = sum(kept.values())
    out.square().sum().backward()
    gradients = [p.grad.clone() for p in encoder.parameters()]
    return out.detach(), gradients, size, torch.rand(2)


def test_checkpointed_activations_change_memory_alone():
    encoder = small(Positions.RELATIVE, num_layers=6, dropout=0.2)
    feats, feat_lens = torch.randn(3, 200, 20), torch.tensor([200, 150, 90])
    plain = pass_through(encoder, feats, feat_lens)
    encoder.checkpoint_activations = True
    again = pass_through(encoder, feats, feat_lens)
    assert torch.equal(plain[0], again[0])
    for one, other in zip(plain[1], again[1], strict=True):
        assert torch.equal(one, other)
    assert torch.equal(plain[3], again[3])  # random numbers go on as without
    between = 6 * plain[0].nbytes  # what goes from block to block is kept unseen
    assert again[2] + between < 0.2 * plain[2]


def test_activations_are_checkpointed_in_training_alone(monkeypatch):
    encoder = small(Positions.ROTARY, checkpoint_activations=True)
    feats, feat_lens = torch.randn(2, 20, 20), torch.tensor([20, 12])
    wrapped = []

    def note(block, *inputs, use_reentrant):
        wrapped.append(block)
        return block(*inputs)

    monkeypatch.setattr("asrkit.models.conformer.checkpoint", note)
    encoder(feats, feat_lens)
    assert wrapped == list(encoder.blocks)
    with torch.no_grad():
        encoder(feats, feat_lens)
    encoder.eval()(feats, feat_lens)
    assert len(wrapped) == 2


@pytest.mark.parametrize("kind", COMPONENTS["encoder"])
def test_an_encoder_says_what_it_does_to_time(kind):
    config = kind()
    encoder = config.build(4).eval()
    assert encoder.subsampling == config.subsampling
    for length in (1, 7, 8, 9, 30):
        lens = torch.tensor([length])
        with torch.no_grad():
            enc_out, enc_lens = encoder(torch.randn(1, length, 4), lens)
        expected = enc_lens.tolist()
        assert config.output_lens(lens).tolist() == expected
        assert encoder.output_lens(lens).tolist() == expected
        assert config.output_lens(length) == expected[0] == enc_out.shape[1]


def test_checkpoints_with_the_frontends_former_name_load():
    encoder = small(Positions.ROTARY)
    state = {
        name.replace("frontend.", "subsampling."): weight
        for name, weight in encoder.state_dict().items()
    }
    other = small(Positions.ROTARY)
    nn.init.ones_(other.frontend.first.weight)
    nn.ModuleDict({"encoder": other}).load_state_dict(
        {f"encoder.{name}": weight for name, weight in state.items()}
    )
    assert torch.equal(other.frontend.first.weight, encoder.frontend.first.weight)
