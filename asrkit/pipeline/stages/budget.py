"""How long a stage trains: its own budget, and what earlier stages left of theirs."""

import logging
from collections.abc import Sequence

from asrkit.pipeline.stages.results import (
    UNSPENT_EPOCHS,
    UNSPENT_UPDATES,
    read_done,
)
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.training.length import Length

logger = logging.getLogger(__name__)


def length_of(run: StageRun, rest_of: Sequence[str]) -> Length:
    """Return how long a stage trains.

    An update of one stage is taken for one of another, whatever each costs.

    Args:
        run: The stage; its configuration says what is its own.
        rest_of: Finished stages whose unspent updates or epochs come on top.
    """
    updates, epochs = run.config.num_updates, run.config.num_epochs
    for name in rest_of:
        facts = read_done(run.exp_dir / name)
        more_updates = facts.get(UNSPENT_UPDATES, 0)
        more_epochs = facts.get(UNSPENT_EPOCHS, 0.0)
        logger.info(
            "stage %s has left %d updates (%.4g epochs), which are spent here",
            name,
            more_updates,
            more_epochs,
        )
        updates = None if updates is None else updates + more_updates
        epochs += more_epochs
    return Length(epochs, updates)
