"""What a folder of experiments holds, read from logs and results; nothing is loaded."""

import fcntl
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import yaml

from asrkit.decoding.scoring.error_unit import ERROR_RATES, ErrorUnit
from asrkit.decoding.scoring.wer_files import unit_of
from asrkit.pipeline.experiment import is_done
from asrkit.utils.errors import InputError

_LOGS = "log/train-*-0.log"
_ALIVE = 120.0
"""Seconds after a sign of life in which a run without a lock counts as running."""
_UNITS = {unit.scalar: unit for unit in ErrorUnit}
_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ (\w+) (.*)")
_STAGE = re.compile(r"stage (\S+) \((\d+) of (\d+)\)")
_POINT = re.compile(r"epoch ([\d.]+),? +update (\d+)")
_DEV = re.compile(rf"dev ({'|'.join(ERROR_RATES)}) ([\d.]+)")


class State(str, Enum):
    """What has become of a run."""

    TRAINING = "training"
    INTERRUPTED = "interrupted"
    """By a signal, a crash or a loss of power: the same command goes on."""
    DONE = "done"
    FAILED = "failed"
    """An error ended it; the end of its log says which."""


class Rate(NamedTuple):
    """An error rate."""

    percent: float
    unit: ErrorUnit
    """What is counted."""


@dataclass(frozen=True)
class Point:
    """Progress at a time, as a line of a log gives it."""

    time: float
    """Seconds since 1970."""
    epochs: float
    update: int


@dataclass
class LogReading:
    """Contents of the logs of a run, those of all its starts one after the other."""

    stage: str = ""
    """That ran last."""
    number: int = 0
    """Of the stage, from 1."""
    count: int = 0
    """Of stages."""
    points: list[Point] = field(default_factory=list)
    """First and last of the stage since the last start."""
    dev_rate: Rate | None = None
    """Best so far."""
    failed: bool = False

    def take_line(self, when: float, level: str, text: str) -> None:
        """Take in a line."""
        self.failed = level == "ERROR"
        if match := _STAGE.match(text):
            self.stage = match[1]
            self.number, self.count = int(match[2]), int(match[3])
            self.points = [Point(when, 0.0, 0)]
        if match := _POINT.search(text):
            point = Point(when, float(match[1]), int(match[2]))
            going_on = text.startswith("going on from")
            self.points = [point] if going_on else [*self.points[:1], point]
        if match := _DEV.search(text):
            rate = Rate(float(match[2]), _UNITS[match[1]])
            self.dev_rate = min(rate, self.dev_rate or rate)


@dataclass(frozen=True)
class Experiment:
    """A line of the table."""

    name: str
    """Its folder below the one that was looked into."""
    state: State
    stage: str
    """That ran last, and its number."""
    update: int | None
    updated: float
    """Last sign of life, seconds since 1970."""
    dev_rate: Rate | None
    """Best."""
    test_rates: dict[str, Rate]
    """Best of each decoded set."""
    left: float | None
    """Seconds that the stage still takes; None where it is not known."""


def list_experiments(root: Path) -> list[Experiment]:
    """Read what is known of every experiment below a folder, the newest last.

    Raises:
        InputError: There is none.
    """
    folders = {path.parents[1] for path in root.rglob(_LOGS)}
    if not folders:
        raise InputError(f"no experiment below {root}/; scripts/train.py makes one")
    found = [read_experiment(folder, root) for folder in folders]
    return sorted(found, key=lambda experiment: experiment.updated)


def read_experiment(folder: Path, root: Path) -> Experiment:
    """Read what is known of an experiment.

    Args:
        folder: Of the experiment.
        root: What its name is relative to.
    """
    logs = sorted(folder.glob(_LOGS))
    reading = read_logs(logs)
    signs = [*logs, *folder.glob("*/tensorboard/*"), *folder.glob("*/done")]
    updated = max(path.stat().st_mtime for path in signs)
    state = find_state(folder, reading, updated)
    return Experiment(
        name=str(folder.relative_to(root)) if folder != root else folder.name,
        state=state,
        stage=f"{reading.stage} {reading.number}/{reading.count}"
        if reading.stage
        else "",
        update=reading.points[-1].update if reading.points else None,
        updated=updated,
        dev_rate=reading.dev_rate,
        test_rates=read_test_rates(folder / "decode" / "results.json"),
        left=time_left(folder, reading) if state is State.TRAINING else None,
    )


def read_logs(logs: Sequence[Path]) -> LogReading:
    """Read the logs of a run, the oldest first."""
    reading = LogReading()
    for path in logs:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if match := _LINE.match(line):
                    stamp = time.strptime(match[1], "%Y-%m-%d %H:%M:%S")
                    reading.take_line(time.mktime(stamp), match[2], match[3])
    return reading


def find_state(folder: Path, reading: LogReading, updated: float) -> State:
    """Say what has become of a run."""
    if any(is_held(path) for path in folder.glob("*/.lock")):
        return State.TRAINING
    if (
        reading.stage
        and reading.number == reading.count
        and is_done(folder, reading.stage)
    ):
        return State.DONE
    if reading.failed:
        return State.FAILED
    if interrupted(folder) or time.time() - updated > _ALIVE:
        return State.INTERRUPTED
    return State.TRAINING


def is_held(lock: Path) -> bool:
    """Say whether a process, on whichever machine, holds a lock file."""
    try:
        with lock.open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError | PermissionError)
    return False


def interrupted(folder: Path) -> bool:
    """Say whether the last log ends with the words of a run that was interrupted."""
    last = max(folder.glob(_LOGS))
    return "INFO interrupted;" in last.read_text(encoding="utf-8", errors="replace")


def time_left(folder: Path, reading: LogReading) -> float | None:
    """Estimate how long the stage still takes, by its pace since the last start."""
    if len(reading.points) < 2:
        return None
    first, last = reading.points
    config = yaml.safe_load((folder / reading.stage / "config.yaml").read_text("utf-8"))
    length = config.get("lm", config)  # of a language model's stage, or of all others
    updates = length.get("num_updates")
    before, now, end = (
        (first.epochs, last.epochs, length["num_epochs"])
        if updates is None
        else (first.update, last.update, updates)
    )
    if now <= before:
        return None
    pace = (last.time - first.time) / (now - before)
    return max(0.0, (end - now) * pace - (time.time() - last.time))


def read_test_rates(results: Path) -> dict[str, Rate]:
    """Return the best error rate of each set that was decoded."""
    if not results.is_file():
        return {}
    best: dict[str, Rate] = {}
    for row in json.loads(results.read_text(encoding="utf-8")):
        unit = unit_of(row)
        rate = Rate(row[unit.scalar], unit)
        best[row["set"]] = min(rate, best.get(row["set"], rate))
    return best
