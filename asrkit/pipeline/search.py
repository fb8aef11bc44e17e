"""Which search fits what a run trains."""

from dataclasses import replace

from asrkit.decoding.beam_search import BeamSearchConfig
from asrkit.decoding.ctc_greedy import CtcGreedyConfig
from asrkit.decoding.greedy import GreedyConfig
from asrkit.decoding.search import SearchConfig
from asrkit.losses.criterion import LossConfig
from asrkit.pipeline.stage import PipelineConfig
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError


def choose_search(decode: SearchConfig, loss: LossConfig) -> SearchConfig:
    """Return a search, fit to the paths that a loss trains.

    Where paths have at most one label a frame, greedy search emits at most one.

    Raises:
        InputError: The search needs what the loss does not train, or other paths.
    """
    if not trains(loss, decode.needs):
        raise InputError(
            f"decode={decode.name} searches what the criterion {decode.needs!r} "
            f"trains, but this run trains {', '.join(loss.weights)} only; choose "
            f"decode={'ctc_greedy' if decode.needs == 'transducer' else 'greedy'}, or "
            f"give loss.weights.{decode.needs} a weight"
        )
    if loss.paths in (None, Topology.REGULAR):
        return decode
    if isinstance(decode, BeamSearchConfig):
        raise InputError(
            f"decode=beam_search emits several labels a frame, but this run trains "
            f"loss.topology={loss.paths.name}, at most one; choose "
            "decode=modified_beam_search"
        )
    if isinstance(decode, GreedyConfig) and decode.max_symbols is None:
        return replace(decode, max_symbols=1)
    return decode


def validation_search(decode: SearchConfig, loss: LossConfig) -> SearchConfig:
    """Return the search for validation in a stage.

    It is the run's, or the greedy one where the stage does not train what that needs.
    """
    if not trains(loss, decode.needs):
        decode = GreedyConfig() if trains(loss, "transducer") else CtcGreedyConfig()
    return choose_search(decode, loss)


def trains(loss: LossConfig, name: str) -> bool:
    """Say whether the criterion of that name has a weight."""
    return loss.weights.get(name, 0.0) > 0


def last_loss(pipeline: PipelineConfig) -> LossConfig:
    """Return what the last stage that trains does: its model is decoded with.

    Raises:
        InputError: No stage trains.
    """
    stages = pipeline.training()
    if not stages:
        raise InputError(
            f"pipeline.order is {', '.join(pipeline.order)}: none of these trains"
        )
    return stages[-1].loss
