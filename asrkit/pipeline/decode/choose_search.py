"""Which search fits what a run trains."""

from asrkit.decoding.beam_search import BeamSearchConfig
from asrkit.decoding.ctc_greedy import CtcGreedyConfig
from asrkit.decoding.greedy import GreedyConfig
from asrkit.decoding.modified_beam_search import ModifiedBeamSearchConfig
from asrkit.decoding.search import Search, SearchConfig
from asrkit.losses.criterion import LossConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.pipeline.config import Config
from asrkit.pipeline.for_stage import for_stage
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError


def choose_search(
    decode: SearchConfig, loss: LossConfig, joiner: JoinerConfig
) -> SearchConfig:
    """Return a search, fit to the paths that a loss trains.

    Raises:
        InputError: The search needs what the loss does not train, or other paths.
    """
    if decode.needs not in loss.trained:
        raise InputError(
            f"decode={decode.name} searches what the criterion {decode.needs!r} "
            f"trains, but this run trains {', '.join(loss.trained)} only; choose "
            f"decode={'ctc_greedy' if decode.needs == 'transducer' else 'greedy'}, or "
            f"give loss.weights.{decode.needs} a weight"
        )
    if joiner.durations and decode.needs == "transducer" and not decode.jumps:
        raise InputError(
            f"decode={decode.name} moves on frame by frame, but this run's joiner says "
            f"how far (joiner.durations={joiner.durations}); choose decode=greedy or "
            "decode=beam_search"
        )
    return decode.fit(loss.paths)


def validation_search(
    decode: SearchConfig, loss: LossConfig, joiner: JoinerConfig
) -> SearchConfig:
    """Return the search for validation in a stage.

    It is the run's, or the greedy one where the stage does not train what that needs.
    """
    if decode.needs not in loss.trained:
        greedy = GreedyConfig if "transducer" in loss.trained else CtcGreedyConfig
        decode = greedy()
    return choose_search(decode, loss, joiner)


def list_search(loss: LossConfig) -> Search:
    """Make the search whose lists a loss with a `search_beam` trains on."""
    regular = loss.paths is Topology.REGULAR
    search = BeamSearchConfig if regular else ModifiedBeamSearchConfig
    size = loss.search_beam
    return search(beam=size, nbest=size, prune=float("inf")).build()


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
