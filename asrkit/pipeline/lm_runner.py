"""Trains a language model over the recognizer's tokens; goes on where it stopped."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from asrkit.data.batches.plan import Position
from asrkit.data.corpora.manifests import load_cuts, manifest_path
from asrkit.data.text.batches import (
    TextBatch,
    plan_text,
    text_batches,
    text_batches_once,
)
from asrkit.data.text.store import TextStore, open_text, store_text
from asrkit.pipeline.config import Config
from asrkit.pipeline.decode.recognizer import describe
from asrkit.pipeline.experiment import lm_folder
from asrkit.pipeline.lm_config import LmConfig
from asrkit.pipeline.snapshot import check_snapshot, write_snapshot
from asrkit.pipeline.stages.preparation import ensure_tokenizer
from asrkit.pipeline.stages.results import is_done, run_to_end
from asrkit.pipeline.stages.train import describe_run
from asrkit.pipeline.tasks.lm_task import LmTask, LmValidation, summarize
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.distributed import World
from asrkit.training.length import Length
from asrkit.training.trainer import Trainer
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


def run_lm(config: Config, plain: Mapping[str, Any], world: World) -> None:
    """Train the language model of a configuration, unless that is done.

    Args:
        config: The configuration.
        plain: The same as plain values, for snapshot and checkpoints.
        world: This process among its like.

    Raises:
        InputError: There is no language model in the configuration, or something in
            it or in the text is wrong.
    """
    lm = chosen_lm(config)
    matters = relevant(plain)
    folder = lm_folder(Path(config.exp_dir), lm.name)
    done = is_done(folder.parent, folder.name)
    check_snapshot(matters, folder / "config.yaml", done=done)
    if done:
        logger.info("stage %s is done: %s", folder.name, folder)
        return
    tokenizer = ensure_tokenizer(config, world)
    task = build_lm_task(config, lm, tokenizer.vocab_size, world)
    train, dev = open_texts(config, lm, tokenizer, world)
    if world.is_main:
        write_snapshot(matters, folder / "config.yaml")
    trainer = build_lm_trainer(
        config,
        lm,
        task,
        train=train,
        dev=dev,
        description=describe(matters, tokenizer),
        folder=folder,
        world=world,
    )
    describe_run(task.model, world)
    logger.info("watch it: tensorboard --logdir %s", folder.parent)
    run_to_end(trainer, folder)


def chosen_lm(config: Config) -> LmConfig:
    """Return the configuration of the language model.

    Raises:
        InputError: There is none.
    """
    if config.lm is None:
        raise InputError("which language model? Choose lm=lstm or lm=transformer")
    return config.lm


def relevant(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a run's plain configuration that a language model depends on.

    What its recognizer looks like may change without training the model again.
    """
    keys = ("lm", "tokenizer", "trainer", "exp_dir", "seed")
    data = ("manifests", "lang_dir", "train", "dev")
    kept = {key: plain[key] for key in keys}
    return {**kept, "data": {key: plain["data"][key] for key in data}}


def build_lm_task(
    config: Config, lm: LmConfig, vocab_size: int, world: World
) -> LmTask:
    """Make the model with random weights that depend on the seed alone."""
    torch.manual_seed(config.seed)
    task = LmTask(lm.model.build(vocab_size))
    # From here on the ranks' dropout differs.
    torch.manual_seed(config.seed + 1 + world.rank)
    return task.to(world.device)


def open_texts(
    config: Config, lm: LmConfig, tokenizer: Tokenizer, world: World
) -> tuple[TextStore, TextStore]:
    """Open the text to learn from and the transcripts of dev, encoded by rank 0."""
    files = [Path(path) for path in lm.text]
    train = files + (transcripts(config, config.data.train) if lm.transcripts else [])
    dev = transcripts(config, config.data.dev)
    folders: list[Path] = []
    if world.is_main:
        folders = [
            store_text(
                paths,
                tokenizer,
                Path(config.data.manifests).parent,
                max_tokens=lm.max_sentence,
                num_workers=config.data.num_workers,
            )
            for paths in (train, dev)
        ]
    folders = world.gather(folders)[0]
    return open_text(folders[0], tokenizer), open_text(folders[1], tokenizer)


def transcripts(config: Config, parts: list[str]) -> list[Path]:
    """Return the manifests of parts."""
    folder = Path(config.data.manifests)
    for part in parts:
        load_cuts(folder, part)  # says which parts there are if this one is not
    return [manifest_path(folder, part) for part in parts]


def build_lm_trainer(
    config: Config,
    lm: LmConfig,
    task: LmTask,
    *,
    train: TextStore,
    dev: TextStore,
    description: dict[str, Any],
    folder: Path,
    world: World,
) -> Trainer:
    """Put a trainer together."""
    dev_batches = partial(
        text_batches_once,
        dev,
        max_tokens=lm.max_tokens,
        rank=world.rank,
        world_size=world.size,
    )
    return Trainer(
        task,
        lm.optim.build(task),
        factor=lm.schedule.factor,
        batches=LmBatches(train, lm.max_tokens, config.seed, world),
        length=Length(lm.num_epochs, lm.num_updates),
        validate=LmValidation(
            batches=dev_batches,
            words=dev.counts.words + dev.counts.sentences,
            world=world,
        ),
        select="perplexity",
        summarize=summarize,
        headline=["perplexity", "learning_rate", "tokens_per_second"],
        description=description,
        announce=lambda moment: None,
        folder=folder,
        world=world,
        config=config.trainer,
    )


@dataclass
class LmBatches:
    """Opens the endless training batches of this process."""

    store: TextStore
    max_tokens: int
    seed: int
    world: World

    def __call__(
        self, position: Mapping[str, float] | None
    ) -> Iterator[tuple[TextBatch, Position]]:
        """Yield batches after `position`."""
        plan = plan_text(
            self.store.lengths,
            max_tokens=self.max_tokens,
            seed=self.seed,
            rank=self.world.rank,
            world_size=self.world.size,
        )
        return text_batches(self.store, plan, position)
