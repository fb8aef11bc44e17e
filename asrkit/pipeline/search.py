"""Which search fits what a run trains."""

from dataclasses import replace

from asrkit.decoding.beam_search import BeamSearchConfig
from asrkit.decoding.greedy import GreedyConfig
from asrkit.decoding.search import SearchConfig
from asrkit.losses.criterion import LossConfig
from asrkit.losses.transducer import TransducerLossConfig
from asrkit.pipeline.stage import PipelineConfig, TrainStageConfig
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError


def choose_search(decode: SearchConfig, pipeline: PipelineConfig) -> SearchConfig:
    """Return a search, fit to the paths that a run trains.

    Where paths have at most one label a frame, greedy search emits at most one.

    Raises:
        InputError: The search needs what no stage trains, or takes other paths.
    """
    trained = [
        name for loss in _losses(pipeline) for name, w in loss.weights.items() if w > 0
    ]
    if decode.needs not in trained:
        raise InputError(
            f"decode={decode.name} searches what the criterion {decode.needs!r} "
            f"trains, but this run trains {', '.join(trained)} only; choose "
            f"decode={'ctc_greedy' if decode.needs == 'transducer' else 'greedy'}, or "
            f"give loss.weights.{decode.needs} a weight"
        )
    topology = trained_topology(pipeline)
    if topology is Topology.REGULAR:
        return decode
    if isinstance(decode, BeamSearchConfig):
        raise InputError(
            f"decode=beam_search emits several labels a frame, but this run trains "
            f"loss.topology={topology.name}, at most one; choose "
            "decode=modified_beam_search"
        )
    if isinstance(decode, GreedyConfig) and decode.max_symbols is None:
        return replace(decode, max_symbols=1)
    return decode


def trained_topology(pipeline: PipelineConfig) -> Topology:
    """Return the topology of the last stage that trains a transducer."""
    topologies = [
        loss.topology
        for loss in _losses(pipeline)
        if isinstance(loss, TransducerLossConfig)
    ]
    return topologies[-1] if topologies else Topology.REGULAR


def _losses(pipeline: PipelineConfig) -> list[LossConfig]:
    """Return the losses of the stages that train, in their order."""
    stages = [pipeline.stages[name] for name in pipeline.order]
    return [stage.loss for stage in stages if isinstance(stage, TrainStageConfig)]
