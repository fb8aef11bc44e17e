"""Opens the batches of a stage."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from lhotse import CutSet
from torch import Tensor

from asrkit.data.batch import Batch
from asrkit.data.features import num_frames
from asrkit.data.loader import Attach, make_loader
from asrkit.data.plan import BatchPlan, Position, plan_once
from asrkit.models.subsampling import subsampled_lens
from asrkit.pipeline.config import Config
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.distributed import World


@dataclass
class TrainBatches:
    """Opens the endless training batches of this process."""

    config: Config
    cuts: CutSet
    tokenizer: Tokenizer
    world: World
    attach: Sequence[Attach]

    def __call__(
        self, position: Mapping[str, float] | None
    ) -> Iterator[tuple[Batch, Position]]:
        """Yield batches after `position`."""
        data = self.config.data
        plan = BatchPlan(
            self.cuts,
            max_duration=data.max_duration,
            max_cuts=data.max_cuts,
            num_buckets=data.num_buckets,
            shuffle=True,
            seed=self.config.seed,
            rank=self.world.rank,
            world_size=self.world.size,
        )
        if position is not None:
            plan.start = Position.from_state(position)
        return make_loader(
            plan,
            self.tokenizer,
            self.config.features.sampling_rate,
            augment=None if data.stored_features else self.config.augment.wave.build(),
            stored_features=data.stored_features,
            num_workers=data.num_workers,
            prefetch=data.prefetch,
            attach=self.attach,
        )


@dataclass
class DevBatches:
    """Opens this process's share of dev."""

    config: Config
    cuts: CutSet
    tokenizer: Tokenizer
    world: World
    attach: Sequence[Attach]

    def __call__(self) -> Iterator[Batch]:
        """Yield each batch once."""
        data = self.config.data
        planned = plan_once(
            self.cuts,
            max_duration=self.config.decode.max_duration,
            rank=self.world.rank,
            world_size=self.world.size,
        )
        loader = make_loader(
            planned,
            self.tokenizer,
            self.config.features.sampling_rate,
            augment=None,
            stored_features=data.stored_features,
            num_workers=min(1, data.num_workers),
            prefetch=data.prefetch,
            attach=self.attach,
        )
        return (batch for batch, _ in loader)


@dataclass(frozen=True)
class EncoderFrames:
    """Counts the encoder frames of a batch's utterances."""

    sampling_rate: int

    def __call__(self, batch: Batch) -> Tensor:
        """Return them, (B,), int64."""
        lens = batch.signal_lens
        if not batch.has_features:
            lens = torch.tensor(
                [num_frames(n, self.sampling_rate) for n in lens.tolist()]
            )
        return subsampled_lens(lens)
