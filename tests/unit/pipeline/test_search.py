"""Searches follow the paths that a run trains."""

import pytest

from asrkit.decoding.beam_search import BeamSearchConfig
from asrkit.decoding.ctc_greedy import CtcGreedyConfig
from asrkit.decoding.greedy import GreedyConfig
from asrkit.losses.ctc import CtcLossConfig
from asrkit.losses.fused import FusedLossConfig
from asrkit.pipeline.search import choose_search
from asrkit.pipeline.stage import PipelineConfig, TrainStageConfig
from asrkit.training.optim import AdamWConfig
from asrkit.training.schedule import ConstantConfig
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError


def pipeline_of(loss):
    stage = TrainStageConfig(loss=loss, optim=AdamWConfig(), schedule=ConstantConfig())
    return PipelineConfig(stages={"train": stage}, order=["train"])


@pytest.mark.parametrize(
    ("topology", "expected"),
    [(Topology.REGULAR, None), (Topology.MONOTONIC, 1), (Topology.CONSTRAINED, 1)],
)
def test_greedy_emits_as_many_labels_a_frame_as_were_trained(topology, expected):
    pipeline = pipeline_of(FusedLossConfig(topology=topology))
    assert choose_search(GreedyConfig(), pipeline).max_symbols == expected
    own = GreedyConfig(max_symbols=3)
    assert choose_search(own, pipeline).max_symbols == 3


def test_a_beam_over_other_paths_is_refused():
    loss = FusedLossConfig(topology=Topology.MONOTONIC)
    with pytest.raises(InputError, match="choose decode=modified_beam_search"):
        choose_search(BeamSearchConfig(), pipeline_of(loss))
    assert choose_search(BeamSearchConfig(), pipeline_of(FusedLossConfig()))


def test_a_search_of_what_is_not_trained_is_refused():
    with pytest.raises(InputError, match="choose decode=ctc_greedy"):
        choose_search(GreedyConfig(), pipeline_of(CtcLossConfig()))
    only = FusedLossConfig(weights={"transducer": 1.0})
    with pytest.raises(InputError, match=r"give loss.weights.ctc a weight"):
        choose_search(CtcGreedyConfig(), pipeline_of(only))
