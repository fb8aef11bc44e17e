"""What training takes with one loss or another, and which to choose."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from asrkit.losses.criterion import LossConfig
from asrkit.pipeline.memory.auto import make_planner
from asrkit.pipeline.memory.largest_batch import longest_useful, rounded
from asrkit.pipeline.memory.passes import Passes
from asrkit.pipeline.memory.planner import Planner
from asrkit.pipeline.memory.room import Room
from asrkit.pipeline.memory.shapes import Utterances
from asrkit.pipeline.stages.stage_run import StageRun

_SIZES = 3  # that are measured
_GROWTH = 3.0  # from one to the next
_FIRST_COLUMN, _MOST_COLUMNS = 25.0, 8
_AS_LARGE, _AS_FAST = 0.8, 0.9  # shares that count as no difference


@dataclass(frozen=True)
class LossRow:
    """A loss."""

    name: str
    bytes: list[float]
    """Predicted for each column, imports and data included."""
    longest: float | None
    """The largest max_duration that fits, seconds; None: none does."""
    speed: float
    """Seconds of audio that a second of training takes in."""


@dataclass(frozen=True)
class Table:
    """Losses by batch seconds."""

    columns: list[float]
    rows: list[LossRow]
    room: Room

    @property
    def choice(self) -> LossRow | None:
        """The loss to take: of those with the largest batches, the fastest."""
        rows = [row for row in self.rows if row.name != "ctc"]  # decodes worse
        most = max((row.longest or 0.0 for row in rows), default=0.0)
        large = [row for row in rows if (row.longest or 0.0) >= _AS_LARGE * most > 0.0]
        speed = max((row.speed for row in large), default=0.0)
        return next((row for row in large if row.speed >= _AS_FAST * speed), None)


def compare(
    run: StageRun,
    utterances: Utterances,
    room: Room,
    kinds: Sequence[type[LossConfig]],
) -> Table:
    """Measure a few batches with each loss, and predict the others.

    Args:
        run: A stage that trains from scratch.
        utterances: What it trains on.
        room: The memory that there is.
        kinds: Losses; of those with which no training can begin there is no row.
    """
    batches = run.world.size * run.config.trainer.accumulate
    most = longest_useful(utterances, batches)
    columns = choose_columns(utterances.longest, most)
    rows = []
    own = run.config.loss
    losses = [own if type(own) is kind else kind() for kind in kinds]
    losses = [one for one in losses if not (one.needs or one.search_beam)]
    for number, loss in enumerate(losses, start=1):
        changed = replace(run, config=replace(run.config, loss=loss))
        with Passes(changed) as passes:
            planner = make_planner(changed, utterances, passes)
            step = f"loss={loss.name} ({number} of {len(losses)}): "
            measure(planner, room, most, step)
            rows.append(predict(loss.name, planner, room, columns, most))
    return Table(columns, rows, room)


def choose_columns(smallest: float, most: float) -> list[float]:
    """Choose batch seconds: doubled from one to the next, up to what is of use."""
    first = _FIRST_COLUMN
    while first < smallest:
        first *= 2.0
    columns = [first]
    while columns[-1] < most and len(columns) < _MOST_COLUMNS:
        columns.append(2.0 * columns[-1])
    return columns


def measure(planner: Planner, room: Room, most: float, name: str) -> None:
    """Measure batches of a few sizes, as long as they fit.

    Args:
        planner: Of a loss.
        room: What they may take.
        most: Largest that is of use, seconds.
        name: Begins the lines that show progress.
    """
    seconds = planner.utterances.longest
    for _ in range(_SIZES):
        if planner.measure(seconds, room.bytes, name) > room.bytes:
            return
        seconds = min(_GROWTH * seconds, most)
        if seconds in planner.measured or planner.predict(seconds) > room.bytes:
            return


def predict(
    name: str, planner: Planner, room: Room, columns: Sequence[float], most: float
) -> LossRow:
    """Predict the rest from what has been measured."""
    if not planner.measured:  # the system has ended the least of it
        return LossRow(name, [float("inf")] * len(columns), None, 0.0)
    predicted = [room.held + planner.predict(column) for column in columns]
    least = planner.utterances.longest
    longest = None
    if planner.predict(least) <= room.bytes:
        longest = rounded(planner.fitting(room.bytes, least, most))
    return LossRow(name, predicted, longest, planner.speed)
