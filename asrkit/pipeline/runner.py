"""Runs the stages of a pipeline: skips what is done, resumes what is not."""

import logging
import time
from pathlib import Path
from typing import Any

from torch import nn

from asrkit.pipeline.build import (
    Corpus,
    build_task,
    build_trainer,
    set_feature_statistics,
)
from asrkit.pipeline.config import Config
from asrkit.pipeline.initialization import initialize
from asrkit.pipeline.preparation import ensure_tokenizer, report_data, select_cuts
from asrkit.pipeline.search import choose_search
from asrkit.pipeline.snapshot import check_snapshot, write_snapshot
from asrkit.pipeline.stage import TrainStageConfig
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.console import format_seconds
from asrkit.training.distributed import World
from asrkit.training.trainer import Trainer
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)


def run_pipeline(config: Config, plain: dict[str, Any], world: World) -> None:
    """Run all stages in order.

    Args:
        config: The run's configuration.
        plain: The same as plain values, for snapshots and checkpoints.
        world: This process among its like.

    Raises:
        InputError: Something in configuration or data is wrong.
    """
    exp_dir = Path(config.exp_dir)
    choose_search(config.decode, config.pipeline)
    waiting = [name for name in config.pipeline.order if not is_done(exp_dir, name)]
    for name in config.pipeline.order:
        snapshot = exp_dir / name / "config.yaml"
        check_snapshot(plain, snapshot, done=name not in waiting)
        if name not in waiting:
            logger.info("stage %s is done: %s", name, exp_dir / name)
    if not waiting:
        return
    tokenizer = ensure_tokenizer(config, world)
    # Building all stages first shows a mistake in the last one in the first second.
    for name in waiting:
        build_task(config, train_stage(config, name), tokenizer.vocab_size, world)
    corpus = load_corpus(config, tokenizer, exp_dir, world)
    for name in waiting:
        if world.is_main:
            write_snapshot(plain, exp_dir / name / "config.yaml")
        run_stage(config, plain, name, tokenizer, corpus, world)


def is_done(exp_dir: Path, name: str) -> bool:
    """Say whether a stage has ended."""
    return (exp_dir / name / "done").is_file()


def train_stage(config: Config, name: str) -> TrainStageConfig:
    """Return a stage, which is a training stage: the only kind so far."""
    stage = config.pipeline.stages[name]
    assert isinstance(stage, TrainStageConfig)
    return stage


def load_corpus(
    config: Config, tokenizer: Tokenizer, exp_dir: Path, world: World
) -> Corpus:
    """Print and keep the data report; return the utterances that can be used."""
    left_out: set[str] = set()
    if world.is_main:
        report = report_data(config, tokenizer)
        report.write(exp_dir)
        logger.info("%s", report.render())
        parts = [*config.data.train, *config.data.dev]
        left_out = {i for part in parts for i in report.left_out_ids(part)}
    left_out = world.gather(left_out)[0]
    train = select_cuts(config, config.data.train, left_out)
    dev = select_cuts(config, config.data.dev, left_out)
    return Corpus(train, dev)


def run_stage(
    config: Config,
    plain: dict[str, Any],
    name: str,
    tokenizer: Tokenizer,
    corpus: Corpus,
    world: World,
) -> None:
    """Train one stage to its end and mark it as done."""
    stage = train_stage(config, name)
    folder = Path(config.exp_dir) / name
    task = build_task(config, stage, tokenizer.vocab_size, world)
    set_feature_statistics(task.model, task.features, corpus.train, tokenizer, config)
    initialize(task.model, stage.init, Path(config.exp_dir))
    trainer = build_trainer(
        config,
        stage,
        task,
        tokenizer,
        corpus,
        plain_config=plain,
        folder=folder,
        world=world,
    )
    describe_run(task.model, folder, world)
    run_to_end(trainer, folder)


def run_to_end(trainer: Trainer, folder: Path) -> None:
    """Train and mark the folder of the stage as done."""
    start = time.monotonic()
    trainer.run()
    if trainer.world.is_main:
        took = format_seconds(time.monotonic() - start)
        best = f"best dev {trainer.select} {trainer.best:.2f}"
        with atomic_write(folder / "done", "w") as file:
            file.write(f"{trainer.update} updates, {took}, {best}\n")
        updates = trainer.update
        logger.info(
            "stage %s done: %d updates in %s, %s", folder.name, updates, took, best
        )


def describe_run(model: nn.Module, folder: Path, world: World) -> None:
    """Say how large the model is, where it trains and where to watch it."""
    parts = {
        name: sum(p.numel() for p in m.parameters())
        for name, m in model.named_children()
    }
    listed = ", ".join(
        f"{name} {count / 1e6:.2f}M" for name, count in parts.items() if count
    )
    logger.info(
        "model: %.2fM parameters (%s) on %d x %s",
        sum(parts.values()) / 1e6,
        listed,
        world.size,
        world.device,
    )
    logger.info("watch it: tensorboard --logdir %s", folder / "tensorboard")
