"""MBR and MWER through a model: risks fall, lists are what they should be."""

import dataclasses
import itertools
from dataclasses import dataclass, replace

import pytest
import torch

from asrkit.data.batches.nbest import collate_lists, make_lists
from asrkit.decoding.modified_beam_search import ModifiedBeamSearch
from asrkit.losses.criterion import Encoded
from asrkit.losses.full import FullLossConfig
from asrkit.losses.mbr import MbrLossConfig
from asrkit.losses.mwer import MwerLossConfig, evaluation
from asrkit.models.asr_model import ModelConfig
from asrkit.models.conformer import ConformerConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.models.predictor import PredictorConfig
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError
from tests.unit.losses.test_criteria import with_features

V = 9
REFERENCES = [[3, 4, 5], [6], [7, 8]]
LISTS = collate_lists(
    [[[3, 4, 5], [3, 4], [3, 4, 4, 5]], [[6], []], [[7, 8], [1, 2], [7, 7]]],
    [[-1.0, -0.5, -2.0], [-1.0, 0.0], [-3.0, -1.0, -1.0]],
    [[0.0, 1.0, 1.0], [0.0, 1.0], [0.0, 2.0, 1.0]],
)


def make_model(dropout=0.0, hat=False, durations=()):
    torch.manual_seed(0)
    encoder = ConformerConfig(
        num_layers=1, dim=16, num_heads=2, ff_dim=16, kernel_size=3, dropout=dropout,
        subsampling_channels=2,
    )  # fmt: skip
    return ModelConfig(
        encoder=encoder,
        predictor=PredictorConfig(dim=8, dropout=dropout),
        joiner=JoinerConfig(dim=8, hat=hat, durations=[*durations]),
    ).build(num_bins=80, vocab_size=V)


def make_batch(nbest=None):
    torch.manual_seed(1)
    tokens = torch.tensor([[3, 4, 5], [6, 0, 0], [7, 8, 0]])
    lens = torch.tensor([7, 5, 4]), torch.tensor([3, 1, 2])
    batch = Encoded(torch.randn(3, 7, 16), lens[0], tokens, lens[1], nbest=nbest)
    return with_features(batch)


@dataclass
class Text:
    tokens: list[int]


def test_steps_along_the_gradient_lower_the_expected_risk():
    model = make_model()
    criterion = MbrLossConfig(reference_weight=0.0).build(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    risks = []
    for _ in range(6):
        output = criterion(model, make_batch(LISTS))
        risks.append(float(output.stats["expected_risk"]))
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    assert all(b < a for a, b in itertools.pairwise(risks))
    assert risks[-1] < 0.8 * risks[0]


def test_the_criterion_hands_on_its_settings_and_stats():
    model, batch = make_model(), make_batch(LISTS)
    outputs = {
        weight: MbrLossConfig(reference_weight=weight).build(model)(model, batch)
        for weight in (0.0, 1.0)
    }
    torch.testing.assert_close(
        outputs[0.0].loss.detach(), outputs[0.0].stats["expected_risk"]
    )
    alone = replace(batch, nbest=None)
    # In validation lists may be missing: the references alone.
    criterion = MbrLossConfig(reference_weight=1.0).build(model).eval()
    likelihood = criterion(model, alone)
    assert likelihood.stats["expected_risk"] == 0.0
    torch.testing.assert_close(outputs[1.0].loss, outputs[0.0].loss + likelihood.loss)
    # Sharper: the best hypothesis alone counts.
    sharp = MbrLossConfig(renorm_scale=1000.0).build(model)(model, batch)
    assert sharp.stats["expected_risk"].item() == pytest.approx(
        round(sharp.stats["expected_risk"].item()), abs=1e-3
    )
    # A language model that wants the second of each list.
    wanted = torch.tensor([0.0, 1000.0, 0.0]).expand(3, -1)
    lists = dataclasses.replace(LISTS, lm_scores=wanted)
    output = MbrLossConfig().build(model)(model, make_batch(lists))
    assert output.stats["expected_risk"].item() == pytest.approx(1 + 1 + 2)


@pytest.mark.parametrize("hat", [False, True])
def test_the_reference_counts_as_the_exact_loss_with_the_joiners_distribution(hat):
    model, batch = make_model(hat=hat), make_batch()
    criterion = MbrLossConfig(reference_weight=1.0).build(model).eval()
    exact = FullLossConfig(weights={"transducer": 1.0}, topology=Topology.MONOTONIC)
    torch.testing.assert_close(
        criterion(model, batch).loss, exact.build(model)(model, batch).loss
    )


def test_hypotheses_are_scored_by_a_joiners_durations():
    model, batch = make_model(durations=[0, 1, 3]), make_batch(LISTS)
    options = {"topology": Topology.REGULAR, "reference_weight": 1.0}
    found = MbrLossConfig(**options).build(model)(model, batch)
    exact = FullLossConfig(weights={"transducer": 1.0}).build(model).eval()

    def losses(n):
        tokens, lens = LISTS.tokens[:, n], LISTS.token_lens[:, n]
        rows = replace(batch, tokens=tokens[:, : lens.max()], token_lens=lens)
        each = exact.criteria["transducer"].losses(model, rows)
        return each.masked_fill(LISTS.counts <= n, torch.inf)

    scores = torch.stack([losses(n) for n in range(3)], dim=1)
    posterior = (-2.5 * (scores - LISTS.lm_scores)).softmax(dim=1)
    risk = (posterior * LISTS.risks).sum()
    torch.testing.assert_close(found.stats["expected_risk"], risk.detach())
    torch.testing.assert_close(found.loss, risk + scores[:, 0].sum())


def test_references_without_a_path_are_counted():
    model = make_model()
    batch = make_batch(LISTS)
    batch.enc_lens[0] = 2
    output = MbrLossConfig().build(model)(model, batch)
    assert output.stats["without_path"] == 1
    assert output.loss.isfinite()


def test_training_without_lists_is_refused():
    model = make_model()
    with pytest.raises(InputError, match="loss=mbr trains on n-best lists"):
        MbrLossConfig().build(model)(model, make_batch())


def test_lists_have_the_reference_first_and_each_text_once():
    found = [[[3, 4], [3, 4, 5], [3, 4], [], [1]], [[6]], [[8, 7], [7, 8, 8]]]
    lists = make_lists(found, REFERENCES, num_hypotheses=3)
    rows = [
        [one[:length] for one, length in zip(*row, strict=True)][:count]
        for *row, count in zip(
            lists.tokens.tolist(),
            lists.token_lens.tolist(),
            lists.counts.tolist(),
            strict=True,
        )
    ]
    assert rows == [
        [[3, 4, 5], [3, 4], []],
        [[6]],
        [[7, 8], [8, 7], [7, 8, 8]],
    ]
    assert lists.risks.tolist() == [[0, 1, 3], [0, 0, 0], [0, 2, 1]]
    assert not lists.lm_scores.any()
    assert lists.counts.tolist() == [3, 1, 3]
    assert lists.tokens.dtype == lists.token_lens.dtype == torch.int64
    past = torch.arange(3) >= lists.token_lens[..., None]
    assert not lists.tokens[past].any()


def test_lists_of_empty_texts_have_no_columns():
    lists = make_lists([[[]], [[]]], [[], []], num_hypotheses=4)
    assert lists.tokens.shape == (2, 1, 0)
    assert lists.risks.tolist() == [[0.0], [0.0]]


def test_mwer_searches_with_the_model_as_it_is_and_without_dropout():
    model, batch = make_model(dropout=0.5), make_batch()
    batch.enc_out.requires_grad_()
    criterion = MwerLossConfig(beam=4, num_hypotheses=3).build(model)
    mwer = criterion.criteria["transducer"]
    model.train()
    model.encoder.eval()  # frozen
    before = [module.training for module in model.modules()]
    seen = []

    def find(model, enc_out, enc_lens):
        assert enc_out.dtype == torch.float32
        assert not torch.is_autocast_enabled("cpu")
        seen.append((any(m.training for m in model.modules()), enc_out.requires_grad))
        return [[Text([3, 4]), Text([3, 4, 5])], [Text([])], [Text([7, 8])]]

    mwer.take_search(find)
    output = criterion(model, batch)
    assert seen == [(False, False)]
    assert [module.training for module in model.modules()] == before
    output.loss.backward()
    assert batch.enc_out.grad.any()

    expected = make_lists(
        [[[3, 4], [3, 4, 5]], [[]], [[7, 8]]], REFERENCES, num_hypotheses=3
    )
    with torch.autocast("cpu", torch.bfloat16):
        found = mwer.lists(model, batch)
    for name in ("tokens", "token_lens", "lm_scores", "risks", "counts"):
        assert torch.equal(getattr(found, name), getattr(expected, name))


def test_modes_come_back_after_an_error():
    model = make_model().train()
    with pytest.raises(KeyError), evaluation(model):
        raise KeyError
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("autocast", [False, True])
def test_mwer_lowers_the_risk_of_what_the_beam_search_finds(autocast):
    model, batch = make_model(), make_batch()
    criterion = MwerLossConfig().build(model)
    criterion.take_search(ModifiedBeamSearch(4, 4))
    parameters = [*model.predictor.parameters(), *model.joiner.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    risks = []
    for _ in range(30):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            output = criterion(model, batch)
        output.loss.backward()
        assert all(p.grad is not None and p.grad.any() for p in parameters)
        optimizer.step()
        risks.append(float(output.stats["expected_risk"]))
    assert risks[-1] < 0.5 * risks[0]


def test_mwer_needs_a_search():
    model = make_model()
    with pytest.raises(AssertionError, match="take_search comes first"):
        MwerLossConfig().build(model)(model, make_batch())


@pytest.mark.parametrize(
    ("config", "change", "message"),
    [
        (
            MbrLossConfig,
            {"renorm_scale": 0.0},
            "renorm_scale must be above 0, got 0",
        ),
        (
            MbrLossConfig,
            {"reference_weight": -1.0},
            "reference_weight must be at least 0",
        ),
        (
            MwerLossConfig,
            {"num_hypotheses": 1},
            "num_hypotheses must be at least 2",
        ),
        (MwerLossConfig, {"num_hypotheses": 6}, "loss.beam is 4, too small for 6"),
    ],
)
def test_settings_out_of_range_are_refused(config, change, message):
    with pytest.raises(ValueError, match=message):
        config(**change)
