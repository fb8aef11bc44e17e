"""Reads batches in workers; neither a bad file nor a worker that hangs ends the run."""

import gc
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from lhotse.cut import Cut
from torch.utils.data import DataLoader, Dataset, get_worker_info

from asrkit.data.audio.signal import read_signal
from asrkit.data.audio.unreadable import UnreadableError, source_of
from asrkit.data.batches.batch import Batch, make_batch
from asrkit.data.batches.cuts import PlannedBatch
from asrkit.data.batches.plan import Position
from asrkit.data.features.wave_augment import WaveAugment
from asrkit.data.left_out import LeftOut, LeftOutList
from asrkit.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

_STRIKES = 2
"""Failures of a worker after which the utterance that it was at is given up."""
_LOOK_EVERY = 2.0
"""Seconds after which workers see that the training is no more."""


@dataclass(frozen=True)
class Task:
    """A planned batch on its way to a worker."""

    number: int
    """Of the batch, from 0."""
    planned: PlannedBatch
    given_up: dict[str, str]
    """Utterances not to be tried again, and why."""


@dataclass(frozen=True)
class Read:
    """What a worker made of a task."""

    batch: Batch | None
    """None where nothing could be read."""
    position: Position
    left_out: list[LeftOut]
    tried: int
    """Utterances that were to be read."""

    def pin_memory(self) -> "Read":
        """Put the batch where a GPU can fetch it; called by torch's DataLoader."""
        if self.batch is not None:
            self.batch.pin_memory()
        return self


class WorkerTable:
    """Where every worker is, in memory that all share: a worker's end leaves it."""

    def __init__(self, num_workers: int) -> None:
        # (number of the task, row of the utterance that is read or -1, process)
        self.table = torch.full((max(num_workers, 1), 3), -1).share_memory_()

    def clear(self) -> None:
        """Forget the workers there were."""
        self.table.fill_(-1)

    def note(self, number: int, row: int) -> None:
        """Say what this worker does now."""
        info = get_worker_info()
        if info is not None:
            self.table[info.id] = torch.tensor([number, row, os.getpid()])

    def of_task(self, number: int) -> list[int] | None:
        """Return the entry of the worker that has the task; None where none has."""
        entries = self.table.tolist()
        return next((entry for entry in entries if entry[0] == number), None)

    def of_dead(self) -> list[list[int]]:
        """Return the entries of the workers that are no more."""
        alive = {process.pid for process in multiprocessing.active_children()}
        return [entry for entry in self.table.tolist() if entry[2] not in {-1, *alive}]


@dataclass(frozen=True)
class Reader:
    """Reads planned batches; runs in the workers."""

    tokenizer: Tokenizer
    sampling_rate: int
    """Hz to resample to."""
    augment: WaveAugment | None
    stored_features: bool
    """Read features from disk instead of audio."""
    attach: Sequence[Callable[[Batch], Batch]]
    """Gives batches what was computed for their utterances before."""

    def read(self, task: Task, note: Callable[[int, int], None]) -> Read:
        """Read the utterances of a task that can be read.

        Args:
            task: Which utterances.
            note: Told before each of them, and at the end with -1, where reading is:
                the number of the task, and the row.
        """
        planned = task.planned
        cuts = planned.cuts
        if self.augment is not None:
            cuts = self.augment(cuts, planned.seed)
        kept, signals, left_out = [], [], []
        for row, cut in enumerate(cuts):
            if cut.id in task.given_up:
                source = source_of(cut, stored_features=self.stored_features)
                left_out.append(LeftOut(cut.id, source, task.given_up[cut.id]))
                continue
            note(task.number, row)
            try:
                signals.append(self._read(cut))
                kept.append(cut)
            except UnreadableError as error:
                left_out.append(error.row)
        note(task.number, -1)
        batch = self._collate(kept, signals) if kept else None
        return Read(batch, planned.position, left_out, len(kept) + len(left_out))

    def _read(self, cut: Cut) -> torch.Tensor:
        return read_signal(
            cut, self.sampling_rate, stored_features=self.stored_features
        )

    def _collate(self, cuts: list[Cut], signals: list[torch.Tensor]) -> Batch:
        batch = make_batch(cuts, signals, self.tokenizer)
        for attach in self.attach:
            batch = attach(batch)
        return batch


@dataclass(frozen=True)
class _Readings(Dataset[Read]):
    """What torch's DataLoader takes a reader for."""

    reader: Reader
    place: WorkerTable

    def __getitem__(self, task: Task) -> Read:
        return self.reader.read(task, self.place.note)


def read_batches(
    planned: Iterable[PlannedBatch],
    reader: Reader,
    *,
    num_workers: int,
    prefetch: int,
    timeout: float,
    left_out: LeftOutList,
) -> Iterator[tuple[Batch | None, Position]]:
    """Read planned batches, in their order; None where nothing of one can be read.

    Workers are started anew when one dies, or reads one utterance for longer than it
    may. They go on with the batches that have not come yet.

    Args:
        planned: Which utterances; may be endless.
        reader: Reads them.
        num_workers: Processes that read; 0 reads in this one, without a limit of time.
        prefetch: Batches that each of them holds ready.
        timeout: Longest that one utterance may take, seconds; 0 for no limit.
        left_out: Takes down what cannot be read.
    """
    tasks = _Tasks(planned, WorkerTable(num_workers))
    while True:
        stream = _start(tasks, reader, num_workers, prefetch, timeout)
        try:
            for found in _follow(stream, tasks):
                tasks.under_way.popleft()
                left_out.note(found.left_out, found.tried)
                yield found.batch, found.position
            return
        except _WorkerError as error:
            # As text: a log that keeps the error would keep the workers, too.
            logger.warning("%s: all workers are started anew", str(error))
        del stream  # ends the workers that are left


class _WorkerError(Exception):
    """A worker hangs or has died."""


class _Tasks:
    """Hands out planned batches, after a new start those under way once more."""

    def __init__(self, planned: Iterable[PlannedBatch], place: WorkerTable) -> None:
        self.rest = enumerate(planned)
        self.place = place
        self.under_way: deque[tuple[int, PlannedBatch]] = deque()
        """What no worker has delivered yet, in the order of delivery."""
        self.strikes: Counter[str] = Counter()
        self.given_up: dict[str, str] = {}

    def __iter__(self) -> Iterator[Task]:
        """Yield what is to be read, without end if the plan has none."""
        for number, planned in tuple(self.under_way):
            yield Task(number, planned, self.given_up)
        for number, planned in self.rest:
            self.under_way.append((number, planned))
            yield Task(number, planned, self.given_up)

    def awaited(self) -> list[int] | None:
        """Return the place of the worker whose batch comes next."""
        return self.place.of_task(self.under_way[0][0]) if self.under_way else None

    def blame_hang(self, entry: Sequence[int]) -> None:
        """End a worker that hangs, and give up the utterance that it was reading."""
        os.kill(entry[2], signal.SIGKILL)  # it may not heed anything less
        reason = "reading it did not end in time (data.read_timeout)"
        self.blame([entry], reason, _STRIKES)

    def blame(self, entries: Sequence[Sequence[int]], reason: str, count: int) -> None:
        """Give up the utterances that workers were at when something happened to them.

        Args:
            entries: Places of the workers. Where none was reading, the whole batch
                that should have come is to blame.
            reason: What happened.
            count: Out of `_STRIKES`.
        """
        under_way = dict(self.under_way)
        at = [
            list(under_way[number].cuts)[row].id
            for number, row, _ in entries
            if row >= 0 and number in under_way
        ]
        for id in at or [cut.id for cut in self.under_way[0][1].cuts]:
            self.strikes[id] += count
            if self.strikes[id] >= _STRIKES:
                self.given_up[id] = reason


def _start(
    tasks: _Tasks, reader: Reader, num_workers: int, prefetch: int, timeout: float
) -> Iterator[Read]:
    tasks.place.clear()
    loader = DataLoader(
        _Readings(reader, tasks.place),
        batch_size=None,
        sampler=tasks,
        num_workers=num_workers,
        prefetch_factor=prefetch if num_workers else None,
        pin_memory=torch.cuda.is_available(),
        timeout=timeout if num_workers else 0,
        worker_init_fn=start_worker if num_workers else None,
        # One of its own: without it, opening a loader draws from the global random
        # numbers, and a resumed run would not equal one that was never stopped.
        generator=torch.Generator().manual_seed(0),
    )
    stream = iter(loader)
    if num_workers and threading.current_thread() is threading.main_thread():
        # torch's handler raises in whatever the training does when a worker dies;
        # without it, the loader finds out when it waits for the worker.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return stream


def start_worker(worker: int) -> None:
    """Keep a worker off the training's cores, and let the training handle Ctrl-C."""
    torch.set_num_threads(1)
    # Looking for garbage would write to every object that is shared with the training,
    # all its cuts among them, and so copy the memory that they are in.
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Not os.getppid(): of a training that was killed before, it says nothing.
    training = multiprocessing.parent_process()
    assert training is not None
    threading.Thread(target=_end_with, args=(training.pid,), daemon=True).start()


def _end_with(training: int | None) -> None:
    """End this process when the training is no more.

    torch's worker notices that, too, but then waits for its last batches to be taken.
    """
    while os.getppid() == training:
        time.sleep(_LOOK_EVERY)
    os._exit(1)


def _follow(stream: Iterator[Read], tasks: _Tasks) -> Iterator[Read]:
    """Yield what workers find, as long as they are well.

    Raises:
        _WorkerError: One is not; who is to blame is noted in `tasks`.
    """
    while True:
        place = tasks.awaited()
        try:
            found = next(stream)
        except StopIteration:
            return
        except (RuntimeError, OSError, EOFError) as error:
            if str(error).startswith("DataLoader timed out"):
                now = tasks.awaited()
                if now is None or now[1] < 0 or now != place:
                    continue  # slow, but it goes on
                tasks.blame_hang(now)
                raise _WorkerError("a worker hangs") from error
            if _is_death(error):
                reason = "a worker died twice in reading it"
                tasks.blame(tasks.place.of_dead(), reason, 1)
                raise _WorkerError("a worker has died") from error
            raise
        yield found


def _is_death(error: Exception) -> bool:
    """Say whether an error of a loader means that a worker is no more."""
    text = str(error)
    if isinstance(error, RuntimeError):
        return text.startswith("DataLoader worker (pid")
    # The thread that pins memory finds nobody at the other end.
    return "in pin memory thread" in text
