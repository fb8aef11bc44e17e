"""Batched searches against the plainest loop over utterances, frames and symbols."""

import pytest
import torch

from asrkit.decoding.ctc_greedy import CtcGreedySearch
from asrkit.decoding.greedy import GreedySearch
from asrkit.models.asr_model import ModelConfig
from asrkit.models.conformer import ConformerConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.models.predictor import PredictorConfig


def make_model(context_size):
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
        predictor=PredictorConfig(dim=8, context_size=context_size),
        joiner=JoinerConfig(dim=8),
    ).build(num_bins=8, vocab_size=6)
    # Sharp and varied outputs: about as many labels as blanks.
    with torch.no_grad():
        model.joiner.output.weight.mul_(20)
        model.joiner.output.bias[0] += 4
        model.predictor.embedding.weight.mul_(3)
    return model.eval()


def plain_greedy(model, enc_out, max_symbols):
    """Search one utterance (T, D)."""
    tokens, frames = [], []
    context = [0] * model.predictor.context_size
    for t, frame in enumerate(model.joiner.enc_proj(enc_out)):
        for _ in range(max_symbols):
            pred = model.predictor.contexts(torch.tensor([context]))
            logits = model.joiner(frame, model.joiner.pred_proj(pred)[0, 0])
            label = int(logits.argmax())
            if label == 0:
                break
            tokens.append(label)
            frames.append(t)
            context = [*context[1:], label]
    return tokens, frames


@pytest.mark.parametrize("context_size", [1, 2])
@pytest.mark.parametrize("max_symbols", [1, 3])
@torch.no_grad()
def test_greedy_equals_the_plain_loop(context_size, max_symbols):
    model = make_model(context_size)
    enc_out = torch.randn(6, 37, 8) * 2
    enc_lens = torch.tensor([37, 30, 9, 8, 1, 37])
    found = GreedySearch(max_symbols)(model, enc_out, enc_lens)
    counts = []
    for b, length in enumerate(enc_lens.tolist()):
        tokens, frames = plain_greedy(model, enc_out[b, :length], max_symbols)
        assert found[b].tokens == tokens
        assert found[b].frames == frames
        counts.append(len(tokens))
    assert sum(counts) > 20  # the test saw labels,
    assert len({f.tokens[0] for f in found if f.tokens}) > 1  # and different ones


@torch.no_grad()
def test_greedy_of_nothing_but_blank_is_empty():
    model = make_model(2)
    model.joiner.output.bias[0] += 1000
    found = GreedySearch(3)(model, torch.randn(2, 20, 8), torch.tensor([20, 5]))
    assert [f.tokens for f in found] == [[], []]


@torch.no_grad()
def test_ctc_greedy_merges_repeats_and_drops_blank():
    model = make_model(1)
    path = torch.tensor(
        [[0, 2, 2, 0, 2, 3, 3, 1, 0, 4], [5, 5, 0, 0, 1, 1, 1, 1, 1, 1]]
    )
    one_hot = torch.nn.functional.one_hot(path, 6).float()
    model.ctc_head = torch.nn.Identity()
    found = CtcGreedySearch()(model, one_hot, torch.tensor([10, 4]))
    assert found[0].tokens == [2, 2, 3, 1, 4]
    assert found[0].frames == [1, 4, 5, 7, 9]
    assert found[1].tokens == [5]
