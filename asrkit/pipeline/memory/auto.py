"""data.max_duration=auto: decided before a stage's first update, and kept."""

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from asrkit.pipeline.memory.heap import steady_heap
from asrkit.pipeline.memory.largest_batch import largest
from asrkit.pipeline.memory.model import Costs
from asrkit.pipeline.memory.passes import Passes
from asrkit.pipeline.memory.planner import Planner
from asrkit.pipeline.memory.room import find_room
from asrkit.pipeline.memory.shapes import Utterances, read_utterances
from asrkit.pipeline.snapshot import differences
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)

AUTO = "auto"
DECISION = "max_duration.json"

_GROUPS = ("features", "tokenizer", "encoder", "predictor", "joiner", "loss", "optim")
_DATA = ("max_cuts", "num_buckets", "max_seconds", "memory_gb", "stored_features")
_TRAINER = ("precision", "accumulate")


@dataclass(frozen=True)
class Decision:
    """What was chosen."""

    max_duration: float
    """Seconds."""
    limit_gb: float
    """The memory that there was for it, GB."""


def decide_max_duration(run: StageRun) -> StageRun:
    """Return the run of a stage that trains, with a number for data.max_duration.

    With auto, the first process measures and all take its number; it is kept in the
    stage's folder, so that a resumed run has the batches that it had.

    Raises:
        InputError: Not even the longest utterance fits.
    """
    if run.config.data.max_duration != AUTO:
        return run
    steady_heap(run.world.device)
    path = run.folder / DECISION
    decision = read_decision(path, settings(run)) if run.world.is_main else None
    if run.world.is_main and decision is None:
        decision = decide(run, path)
    decision = run.world.gather(decision)[0]
    seconds = decision.max_duration
    # Validation in batches of the same size needs less than training.
    search = run.config.decode
    search = replace(search, max_duration=min(search.max_duration, seconds))
    data = replace(run.config.data, max_duration=seconds)
    config = replace(run.config, data=data, decode=search)
    return replace(run, config=config, memory_limit_gb=decision.limit_gb)


def decide(run: StageRun, path: Path) -> Decision:
    """Measure, choose, and write the decision down."""
    utterances = read_utterances(run)
    room = find_room(run.world.device, run.config.data.memory_gb)
    logger.info("data.max_duration=auto: %s", room.describe())
    with Passes(run) as passes:
        planner = make_planner(run, utterances, passes)
        batches = run.world.size * run.config.trainer.accumulate
        found = largest(planner, room, batches)
    decision = Decision(found.max_duration, round(room.limit / 1e9, 3))
    expected = round((room.held + found.bytes) / 1e9, 3)
    written = {
        **asdict(decision),
        "limit": room.name,
        "expected_gb": expected,
        "settings": settings(run),
    }
    with atomic_write(path, "w") as file:
        json.dump(written, file, indent=1)
    logger.info(
        "data.max_duration is %g seconds: %.2f GB of %.2f (%s)",
        decision.max_duration,
        expected,
        decision.limit_gb,
        path,
    )
    return decision


def make_planner(run: StageRun, utterances: Utterances, passes: Passes) -> Planner:
    """Put together what measures and predicts a stage."""
    config = run.config
    costs = Costs.of(config.loss, config.joiner, run.tokenizer.vocab_size)
    return Planner(utterances, costs, passes)


def read_decision(path: Path, now: dict[str, Any]) -> Decision | None:
    """Return what was decided before, None if nothing or for other settings.

    Args:
        path: Of the decision.
        now: What the decision depends on.

    Raises:
        InputError: The file is damaged.
    """
    if not path.is_file():
        return None
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        decision = Decision(float(read["max_duration"]), float(read["limit_gb"]))
        before = read["settings"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is damaged ({error}); delete it, and data.max_duration is decided "
            "anew"
        ) from error
    changed = differences(before, now)
    if changed:
        logger.info(
            "data.max_duration is decided anew: since %s %s", path, ", ".join(changed)
        )
        return None
    logger.info(
        "data.max_duration is %g seconds, as decided in %s", decision.max_duration, path
    )
    return decision


def settings(run: StageRun) -> dict[str, Any]:
    """Return what a decision depends on, as plain values.

    Not the number of processes: a run that goes on with fewer keeps its batches.
    """
    plain = run.plain
    return {
        **{name: plain[name] for name in _GROUPS},
        "data": {name: plain["data"][name] for name in _DATA},
        "speeds": plain["augment"]["wave"]["speeds"],
        "trainer": {name: plain["trainer"][name] for name in _TRAINER},
    }
