"""The fused score of label sequences against the language model's own."""

import pytest
import torch

from asrkit.decoding.fusion.fusion import Fusion
from asrkit.decoding.fusion.label_scores import score_labels
from asrkit.models.lm.ngram_lm import NgramLm
from asrkit.text.ngram.kneser_ney import train_kneser_ney


def test_a_weighted_sum_of_models():
    generator = torch.Generator().manual_seed(0)
    texts = [
        torch.randint(3, 9, (int(n),), generator=generator).tolist()
        for n in torch.randint(1, 7, (40,), generator=generator)
    ]
    one, two = (NgramLm(train_kneser_ney(texts, 9, order=n), 9) for n in (1, 3))
    fusion = Fusion([(one, 0.3), (two, -0.2)])
    sentences = [[3, 4, 5], [], [8], texts[0]]
    found = score_labels(fusion, sentences, torch.device("cpu"))
    for sentence, score in zip(sentences, found, strict=True):
        tokens = torch.tensor([sentence], dtype=torch.int64)
        lens = torch.tensor([len(sentence)])
        expected = 0.3 * one.log_prob(tokens, lens) - 0.2 * two.log_prob(tokens, lens)
        assert score == pytest.approx(float(expected), abs=1e-4)
    assert score_labels(Fusion([]), sentences, torch.device("cpu")) == [0.0] * 4
