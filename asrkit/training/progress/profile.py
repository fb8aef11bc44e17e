"""Where the time of an update goes: a table, and a trace of every operation."""

import contextlib
import itertools
import logging
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.autograd import Variable
from torch.autograd.profiler import record_function
from torch.utils.hooks import RemovableHandle

from asrkit.training.stream import Group
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)

_FIRST = 5
"""Update of a run with which the profile begins; those before warm up."""
_UPDATES = 4
"""Updates that are profiled."""
_OPERATIONS = 20
"""Rows in the table of operations."""
_UPDATE, _BACKWARD = "rest", "backward"


@dataclass
class _Running:
    """A part of an update that has begun and not ended."""

    name: str
    since: float
    """Time from which on it has not been counted yet."""
    label: record_function | None
    """Its name in the trace."""
    again: int = 0
    """How often it has been entered inside itself."""


class Stopwatch:
    """Measures nested parts, each without the parts inside it.

    Args:
        device: Waited for whenever a part begins or ends, so that each is charged with
            what it has started there.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = defaultdict(float)
        self.stack: list[_Running] = []

    def enter(self, name: str, *, labelled: bool = True) -> None:
        """Begin a part.

        Args:
            name: Of the part.
            labelled: Whether the trace shows it; it must end in the same thread then.
        """
        if self.stack and self.stack[-1].name == name:
            self.stack[-1].again += 1
            return
        now = self._stop()
        label = record_function(name).__enter__() if labelled else None
        self.stack.append(_Running(name, now, label))

    def exit(self, name: str) -> None:
        """End a part, and those inside it that an error has ended."""
        while self.stack:
            running = self.stack[-1]
            if running.name == name and running.again:
                running.again -= 1
                return
            now = self._stop()
            self.stack.pop()
            if running.label is not None:
                running.label.__exit__(None, None, None)
            if self.stack:
                self.stack[-1].since = now
            if running.name == name:
                return

    def is_in(self, name: str) -> bool:
        """Say whether a part has begun and not ended."""
        return any(running.name == name for running in self.stack)

    def _stop(self) -> float:
        """Charge the innermost part with the time since it was last charged."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        if self.stack:
            self.seconds[self.stack[-1].name] += now - self.stack[-1].since
        return now


class Profile:
    """Profiles a few updates of a run; neither weights nor random numbers notice.

    Args:
        folder: Where table.txt and trace.json.gz go.
        task: What is trained.
        optimizer: Of its parameters.
        device: Of the task.
        enabled: Without it, nothing is done.
    """

    def __init__(
        self,
        folder: Path,
        task: nn.Module,
        optimizer: torch.optim.Optimizer,
        device: torch.device,
        *,
        enabled: bool,
    ) -> None:
        self.folder = folder
        self.task = task
        self.optimizer = optimizer
        self.device = device
        self.enabled = enabled
        self.watch: Stopwatch | None = None
        """There while updates are profiled."""

    def follow(self, groups: Iterator[Group]) -> Iterator[Group]:
        """Pass on the batches of updates, some of which are profiled."""
        if not self.enabled:
            yield from groups
            return
        yield from itertools.islice(groups, _FIRST - 1)
        with contextlib.ExitStack() as stack:
            watch, profiler = self._start(stack)
            count = 0
            while count < _UPDATES and (group := self._next(groups)) is not None:
                yield group
                watch.exit(_UPDATE)
                count += 1
        if count:
            self._write(watch, profiler, count)
        else:
            logger.warning("no profile: training ended before update %d", _FIRST)
        yield from groups

    def _next(self, groups: Iterator[Group]) -> Group | None:
        """Begin an update by waiting for its batches; None where there are none."""
        assert self.watch is not None
        self.watch.enter(_UPDATE)
        with self.part("data wait"):
            return next(groups, None)

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Charge a part with the time that is spent here."""
        if self.watch is None:
            yield
            return
        self.watch.enter(name)
        try:
            yield
        finally:
            if self.watch is not None:
                self.watch.exit(name)

    def _start(
        self, stack: contextlib.ExitStack
    ) -> tuple[Stopwatch, torch.profiler.profile]:
        """Begin, until a stack is left."""
        self.watch = watch = Stopwatch(self.device)
        stack.callback(setattr, self, "watch", None)
        for hook in self._hooks(watch):
            stack.callback(hook.remove)
        # Its library's own lines on the console are of no use to anybody here.
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        activities = [torch.profiler.ProfilerActivity.CPU]
        if self.device.type == "cuda":
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        profiler = stack.enter_context(torch.profiler.profile(activities=activities))
        return watch, profiler

    def _hooks(self, watch: Stopwatch) -> Iterator[RemovableHandle]:
        """Have the parts of an update measured."""
        for name, module in parts_of(self.task):
            yield module.register_forward_pre_hook(_Enter(watch, name))
            yield module.register_forward_hook(_Exit(watch, name), always_call=True)
        yield self.task.register_forward_hook(_Backward(watch))
        optimizer, name = self.optimizer, "optimizer"
        yield optimizer.register_step_pre_hook(lambda *_: watch.enter(name))
        yield optimizer.register_step_post_hook(lambda *_: watch.exit(name))

    def _write(
        self, watch: Stopwatch, profiler: torch.profiler.profile, count: int
    ) -> None:
        """Write table and trace, and show the table."""
        table = time_table(watch.seconds, count)
        device = "self_device_time_total"
        on_cpu = self.device.type == "cpu"
        operations = profiler.key_averages().table(
            sort_by="self_cpu_time_total" if on_cpu else device,
            row_limit=_OPERATIONS,
            max_name_column_width=60,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        profiler.export_chrome_trace(str(self.folder / "trace.json.gz"))
        with atomic_write(self.folder / "table.txt", "w") as file:
            file.write(
                f"{table}\n\nThe operations of all {count} updates\n{operations}"
            )
        logger.info(
            "profile of updates %d to %d of this run (all of it in %s)\n%s",
            _FIRST,
            _FIRST + count - 1,
            self.folder,
            table,
        )


class _Enter:
    """A hook before a module's forward pass."""

    def __init__(self, watch: Stopwatch, name: str) -> None:
        self.watch = watch
        self.name = name

    def __call__(self, *_: Any) -> None:
        # What is computed again for the backward pass is part of that.
        if not self.watch.is_in(_BACKWARD):
            self.watch.enter(self.name)


class _Exit(_Enter):
    """A hook after a module's forward pass."""

    def __call__(self, *_: Any) -> None:
        if self.watch.is_in(self.name) and not self.watch.is_in(_BACKWARD):
            self.watch.exit(self.name)


class _Backward:
    """A hook after the task's forward pass that measures the backward pass of its loss.

    The last gradient of this process ends it; summing over processes is not in it.
    """

    def __init__(self, watch: Stopwatch) -> None:
        self.watch = watch

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if output.loss.requires_grad:
            output.loss.register_hook(self._begin)

    def _begin(self, gradient: torch.Tensor) -> None:
        # On a GPU another thread than this one may end it.
        self.watch.enter(_BACKWARD, labelled=False)
        Variable._execution_engine.queue_callback(self._end)

    def _end(self) -> None:
        self.watch.exit(_BACKWARD)


def parts_of(task: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield all modules of a task, and what the time of their forward passes is called.

    That is the first two names of their path, without those of lists and dicts.
    """
    modules = dict(task.named_modules())
    for path, module in modules.items():
        names = path.split(".")
        shown = [
            name
            for end, name in enumerate(names, start=1)
            if not isinstance(
                modules[".".join(names[:end])], nn.ModuleList | nn.ModuleDict
            )
        ]
        yield f"forward: {'.'.join(shown[:2]) or 'other'}", module


def time_table(seconds: Mapping[str, float], count: int) -> str:
    """Write the times of an update's parts as a table.

    Args:
        seconds: Of each part, over all updates.
        count: Updates.
    """
    total = sum(seconds.values())
    width = max(map(len, [*seconds, "part"]))
    rows = [f"{'part':{width}}  ms per update  percent"]
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    for name, value in [*ordered, ("all", total)]:
        share = 100 * value / total
        rows.append(f"{name:{width}}  {1e3 * value / count:13.2f}  {share:7.1f}")
    return "\n".join(rows)
