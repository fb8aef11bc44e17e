"""The one place where configs become objects that train."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lhotse import CutSet

from asrkit.data.batch import Batch, collate
from asrkit.data.features import Fbank
from asrkit.data.loader import make_loader
from asrkit.data.plan import BatchPlan, Position, plan_once
from asrkit.losses.criterion import Progress
from asrkit.models.asr_model import AsrModel
from asrkit.pipeline.config import Config
from asrkit.pipeline.recognizer import describe
from asrkit.pipeline.search import choose_search
from asrkit.pipeline.stage import TrainStageConfig
from asrkit.pipeline.task import AsrTask
from asrkit.pipeline.validation import Validation
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.distributed import World
from asrkit.training.trainer import Length, Trainer

_STATISTICS_UTTERANCES = 1000


@dataclass
class Corpus:
    """The utterances of a run, without those that are left out."""

    train: CutSet
    dev: CutSet


def build_task(
    config: Config, stage: TrainStageConfig, vocab_size: int, world: World
) -> AsrTask:
    """Make model and criterion with random weights that depend on the seed alone."""
    torch.manual_seed(config.seed)
    model = config.model.build(config.features.num_bins, vocab_size)
    task = AsrTask(
        model,
        stage.loss.build(model),
        config.features.build(),
        config.augment.spec.build(),
        frozen=set(stage.freeze),
    )
    # From here on the ranks' dropout and augmentation differ.
    torch.manual_seed(config.seed + 1 + world.rank)
    return task.to(world.device)


def build_trainer(
    config: Config,
    stage: TrainStageConfig,
    task: AsrTask,
    tokenizer: Tokenizer,
    corpus: Corpus,
    *,
    plain_config: object,
    folder: Path,
    world: World,
) -> Trainer:
    """Put a trainer together."""
    return Trainer(
        task,
        stage.optim.build(task),
        factor=stage.schedule.factor,
        batches=TrainBatches(config, corpus.train, tokenizer, world),
        length=Length(stage.num_epochs, stage.num_updates),
        validate=Validation(
            batches=DevBatches(config, corpus.dev, tokenizer, world),
            search=choose_search(config.decode, config.pipeline).build(),
            tokenizer=tokenizer,
            world=world,
        ),
        select=stage.select,
        summarize=summarize,
        headline=["loss_per_token", "learning_rate", "audio_hours_per_hour"],
        description=describe(plain_config, tokenizer),
        announce=lambda share, update: task.criterion.announce(Progress(share, update)),
        folder=folder,
        world=world,
        config=config.trainer,
    )


@dataclass
class TrainBatches:
    """Opens the endless training batches of this process."""

    config: Config
    cuts: CutSet
    tokenizer: Tokenizer
    world: World

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
        )


@dataclass
class DevBatches:
    """Opens this process's share of dev."""

    config: Config
    cuts: CutSet
    tokenizer: Tokenizer
    world: World

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
        )
        return (batch for batch, _ in loader)


@torch.no_grad()
def set_feature_statistics(
    model: AsrModel, features: Fbank, cuts: CutSet, tokenizer: Tokenizer, config: Config
) -> None:
    """Set the model's feature statistics from the first training utterances."""
    device = model.feature_mean.device
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    first = cuts.subset(first=_STATISTICS_UTTERANCES)
    for planned in plan_once(first, max_duration=300.0):
        batch = collate(
            planned.cuts,
            tokenizer,
            features.sampling_rate,
            stored_features=config.data.stored_features,
        ).to(device)
        feats, lens = batch.signal, batch.signal_lens
        if not batch.has_features:
            feats, lens = features(feats, lens)
        frames = feats[torch.arange(feats.shape[1], device=device) < lens[:, None]]
        count += len(frames)
        total = total.to(device) + frames.double().sum(dim=0)
        squares = squares.to(device) + frames.double().square().sum(dim=0)
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0.0).sqrt()
    model.set_feature_statistics(mean.float(), std.float())


def summarize(sums: Mapping[str, float]) -> dict[str, float]:
    """Turn a recognizer's summed stats into what one wants to see."""
    scalars: dict[str, Any] = {"seconds": sums["wall_seconds"]}
    if not sums.get("updates"):
        return scalars
    tokens, frames = max(sums["tokens"], 1.0), sums["frames"]
    known = {"tokens", "frames", "updates", "utterances", "audio_seconds"}
    known |= {"gradient_norm", "wall_seconds", "without_path"}
    for name, value in sums.items():
        if name not in known:
            scalars[f"{name}_per_token"] = value / tokens
            scalars[f"{name}_per_frame"] = value / frames
    if "without_path" in sums:
        scalars["utterances_without_path"] = sums["without_path"]
    scalars["gradient_norm"] = sums["gradient_norm"] / sums["updates"]
    scalars["utterances_per_update"] = sums["utterances"] / sums["updates"]
    scalars["audio_hours_per_hour"] = sums["audio_seconds"] / sums["wall_seconds"]
    return scalars
