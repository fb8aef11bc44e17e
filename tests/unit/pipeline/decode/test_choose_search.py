"""Searches follow the paths that a run trains."""

import pytest

from asrkit.decoding.beam_search import BeamSearchConfig
from asrkit.decoding.ctc_greedy import CtcGreedyConfig
from asrkit.decoding.greedy import GreedyConfig
from asrkit.losses.ctc import CtcLossConfig
from asrkit.losses.fused import FusedLossConfig
from asrkit.losses.mbr import MbrLossConfig
from asrkit.losses.pruned import PrunedLossConfig
from asrkit.losses.viterbi import ViterbiLossConfig
from asrkit.pipeline.decode.choose_search import (
    choose_search,
    last_loss,
    validation_search,
)
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError
from tests.unit.pipeline.compose import make


@pytest.mark.parametrize(
    ("topology", "expected"),
    [(Topology.REGULAR, None), (Topology.MONOTONIC, 1), (Topology.CONSTRAINED, 1)],
)
def test_greedy_emits_as_many_labels_a_frame_as_were_trained(topology, expected):
    loss = FusedLossConfig(topology=topology)
    assert choose_search(GreedyConfig(), loss).max_symbols == expected
    own = GreedyConfig(max_symbols=3)
    assert choose_search(own, loss).max_symbols == 3


def test_a_beam_over_other_paths_is_refused():
    loss = FusedLossConfig(topology=Topology.MONOTONIC)
    with pytest.raises(InputError, match="choose decode=modified_beam_search"):
        choose_search(BeamSearchConfig(), loss)
    assert choose_search(BeamSearchConfig(), FusedLossConfig())


def test_a_search_of_what_is_not_trained_is_refused():
    with pytest.raises(InputError, match="choose decode=ctc_greedy"):
        choose_search(GreedyConfig(), CtcLossConfig())
    only = FusedLossConfig(weights={"transducer": 1.0})
    with pytest.raises(InputError, match=r"give loss.weights.ctc a weight"):
        choose_search(CtcGreedyConfig(), only)


def test_validation_takes_what_the_stage_trains():
    assert isinstance(
        validation_search(GreedyConfig(), CtcLossConfig()), CtcGreedyConfig
    )
    found = validation_search(CtcGreedyConfig(), ViterbiLossConfig())
    assert isinstance(found, GreedyConfig)
    assert found.max_symbols == 1
    own = GreedyConfig(blank_penalty=1.0)
    assert validation_search(own, FusedLossConfig()) is own


def test_the_last_stage_that_trains_is_decoded_with():
    own = ["+loss@pipeline.stages.train.set.loss=ctc"]
    for overrides, expected in (
        ([], FusedLossConfig),
        (["loss=pruned"], PrunedLossConfig),
        (own, CtcLossConfig),
        (["pipeline=frame_wise"], MbrLossConfig),
        (["pipeline=frame_wise", "pipeline.order=[ctc,align]"], CtcLossConfig),
    ):
        assert isinstance(last_loss(make(*overrides)), expected)
    with pytest.raises(InputError, match=r"none of pipeline\.order=align trains"):
        last_loss(make("pipeline=frame_wise", "pipeline.order=[align]"))
