"""Opens the batches of a stage."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from lhotse import CutSet
from torch import Tensor

from asrkit.data.batches.batch import Batch
from asrkit.data.batches.cuts import PlannedBatch, Source, plan_once
from asrkit.data.batches.loader import Attach, make_loader
from asrkit.data.batches.plan import Position
from asrkit.data.batches.workers import Reader, read_batches
from asrkit.data.features.fbank import num_frames
from asrkit.data.left_out import LeftOutList
from asrkit.pipeline.config import Config
from asrkit.pipeline.tasks.train_plan import make_plan, open_source
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.distributed import World


@dataclass
class TrainBatches:
    """Opens the endless training batches of this process."""

    config: Config
    """As one stage sees it."""
    cuts: CutSet
    tokenizer: Tokenizer
    world: World
    attach: Sequence[Attach]

    def __post_init__(self) -> None:
        """Open the list of what cannot be read."""
        self.left_out = open_list(self.config, "train", self.world)

    @cached_property
    def source(self) -> Source:
        """The utterances, opened once: training may go back to a checkpoint."""
        return open_source(self.config, self.cuts)

    def __call__(
        self, position: Mapping[str, float] | None
    ) -> Iterator[tuple[Batch, Position]]:
        """Yield batches after `position`."""
        data = self.config.data
        planned = make_plan(self.config, self.source, self.world)
        if position is not None:
            planned.plan.start = Position.from_state(position)
        reader = Reader(
            self.tokenizer,
            self.config.features.sampling_rate,
            None if data.stored_features else self.config.augment.wave.build(),
            data.stored_features,
            self.attach,
        )
        return without_gaps(
            read_batches(
                planned,
                reader,
                num_workers=data.num_workers,
                prefetch=data.prefetch,
                timeout=data.read_timeout,
                left_out=self.left_out,
            )
        )


def without_gaps(
    stream: Iterable[tuple[Batch | None, Position]],
) -> Iterator[tuple[Batch, Position]]:
    """Put in the place of a batch that could not be read the next one that could.

    So every process makes as many steps as the others, each at the position that all
    are at, and a run that is resumed there puts the same batch in the same place.
    """
    gaps: list[Position] = []
    for batch, position in stream:
        if batch is None:
            gaps.append(position)
            continue
        for gap in gaps:
            yield batch, gap
        gaps.clear()
        yield batch, position


@dataclass
class DevBatches:
    """Opens this process's share of dev."""

    config: Config
    """As one stage sees it."""
    cuts: CutSet
    tokenizer: Tokenizer
    world: World
    attach: Sequence[Attach]

    def __post_init__(self) -> None:
        """Open the list of what cannot be read."""
        self.left_out = open_list(self.config, "dev", self.world)

    def __call__(self) -> Iterator[Batch]:
        """Yield each batch once."""
        planned = plan_once(
            self.cuts,
            max_duration=self.config.decode.max_duration,
            rank=self.world.rank,
            world_size=self.world.size,
        )
        return read_once(
            self.config, planned, self.tokenizer, self.left_out, attach=self.attach
        )


def read_once(
    config: Config,
    planned: Iterable[PlannedBatch],
    tokenizer: Tokenizer,
    left_out: LeftOutList,
    *,
    attach: Sequence[Attach] = (),
) -> Iterator[Batch]:
    """Read planned batches as they are, without augmentation, in one worker.

    Args:
        config: Of the stage.
        planned: Which utterances.
        tokenizer: Turns their texts into tokens.
        left_out: Takes down what cannot be read.
        attach: What batches carry besides audio and text.
    """
    data = config.data
    loader = make_loader(
        planned,
        tokenizer,
        config.features.sampling_rate,
        augment=None,
        stored_features=data.stored_features,
        num_workers=min(1, data.num_workers),
        prefetch=data.prefetch,
        attach=attach,
        timeout=data.read_timeout,
        left_out=left_out,
    )
    return (batch for batch, _ in loader)


def open_list(config: Config, name: str, world: World) -> LeftOutList:
    """Open the list of what cannot be read, in the folder of a stage.

    Every process has a list of its own, and a limit of its own.

    Args:
        config: As the stage sees it.
        name: What is read, e.g. train.
        world: The processes that work together, and this one's rank.
    """
    folder = Path(config.exp_dir) / config.pipeline.order[0]
    rank = "" if world.is_main else f"_rank{world.rank}"
    path = folder / f"unreadable_{name}{rank}.tsv"
    return LeftOutList(path, max_share=config.data.max_left_out)


@dataclass(frozen=True)
class EncoderFrames:
    """Counts the encoder frames of a batch's utterances."""

    sampling_rate: int
    output_lens: Callable[[Tensor], Tensor]
    """Of the encoder."""

    def __call__(self, batch: Batch) -> Tensor:
        """Return them, (B,), int64."""
        lens = batch.signal_lens
        if not batch.has_features:
            lens = torch.tensor(
                [num_frames(n, self.sampling_rate) for n in lens.tolist()]
            )
        return self.output_lens(lens)
