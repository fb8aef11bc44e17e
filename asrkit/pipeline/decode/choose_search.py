"""Which search fits what a run trains."""

from dataclasses import replace

from asrkit.decoding.beam_search import BeamSearchConfig
from asrkit.decoding.ctc_greedy import CtcGreedyConfig
from asrkit.decoding.greedy import GreedyConfig
from asrkit.decoding.search import SearchConfig
from asrkit.losses.criterion import LossConfig
from asrkit.pipeline.config import Config
from asrkit.pipeline.for_stage import for_stage
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError


def choose_search(decode: SearchConfig, loss: LossConfig) -> SearchConfig:
    """Return a search, fit to the paths that a loss trains.

    Where paths have at most one label a frame, greedy search emits at most one.

    Raises:
        InputError: The search needs what the loss does not train, or other paths.
    """
    if decode.needs not in trained(loss):
        raise InputError(
            f"decode={decode.name} searches what the criterion {decode.needs!r} "
            f"trains, but this run trains {', '.join(trained(loss))} only; choose "
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
    if decode.needs not in trained(loss):
        greedy = GreedyConfig if "transducer" in trained(loss) else CtcGreedyConfig
        decode = greedy()
    return choose_search(decode, loss)


def trained(loss: LossConfig) -> list[str]:
    """Name the criteria that have a weight."""
    return [name for name, weight in loss.weights.items() if weight > 0]


def last_loss(config: Config) -> LossConfig:
    """Return the loss of the last stage that trains: its model is decoded with.

    Raises:
        InputError: No stage trains.
    """
    names = config.pipeline.training()
    if not names:
        raise InputError(
            f"none of pipeline.order={', '.join(config.pipeline.order)} trains a model"
        )
    return for_stage(config, names[-1]).loss
