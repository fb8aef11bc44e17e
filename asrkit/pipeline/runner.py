"""Runs the stages of a pipeline: skips what is done, resumes what is not."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lhotse import CutSet

from asrkit.pipeline.config import Config
from asrkit.pipeline.decode.choose_search import choose_search, last_loss
from asrkit.pipeline.experiment import is_done
from asrkit.pipeline.for_stage import for_stage
from asrkit.pipeline.memory.auto import decide_max_duration
from asrkit.pipeline.snapshot import check_snapshot, write_snapshot
from asrkit.pipeline.stage import StageConfig, TrainStageConfig
from asrkit.pipeline.stages.align import AlignStageConfig, run_align
from asrkit.pipeline.stages.average import AverageStageConfig, run_average
from asrkit.pipeline.stages.nbest import NBestStageConfig, run_nbest
from asrkit.pipeline.stages.preparation import (
    ensure_tokenizer,
    report_data,
    select_cuts,
    train_parts,
)
from asrkit.pipeline.stages.stage_run import Corpus, StageRun
from asrkit.pipeline.stages.train import build_task, check_data, run_train
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.distributed import World
from asrkit.utils.errors import InputError
from asrkit.utils.mask import masked
from asrkit.utils.plain import to_plain

logger = logging.getLogger(__name__)

_RUN: dict[type[StageConfig], Callable[[StageRun], None]] = {
    TrainStageConfig: run_train,
    AlignStageConfig: run_align,
    NBestStageConfig: run_nbest,
    AverageStageConfig: run_average,
}
"""What runs each kind of stage."""


def run_pipeline(config: Config, world: World) -> None:
    """Run all stages in order.

    Args:
        config: The run's configuration.
        world: This process among its like.

    Raises:
        InputError: Something in configuration or data is wrong.
    """
    exp_dir = Path(config.exp_dir)
    if config.pipeline.training():
        choose_search(config.decode, last_loss(config))
    waiting = [name for name in config.pipeline.order if not is_done(exp_dir, name)]
    check_order(config, exp_dir)
    for name in config.pipeline.order:
        snapshot = exp_dir / name / "config.yaml"
        matters = what_matters(
            config.pipeline.stages[name], shown(for_stage(config, name))
        )
        check_snapshot(matters, snapshot, done=name not in waiting)
        if name not in waiting:
            logger.info("stage %s is done: %s", name, exp_dir / name)
    if not waiting:
        return
    tokenizer = ensure_tokenizer(config, world)
    prepared = _Prepared(config, exp_dir, tokenizer, world)
    nothing = Corpus(CutSet(), CutSet())
    # Building all stages first shows a mistake in the last one in the first second.
    for name in waiting:
        if isinstance(config.pipeline.stages[name], TrainStageConfig):
            run = prepared.stage(name, nothing)
            check_data(run)
            build_task(run)
    corpus = load_corpus(config, tokenizer, exp_dir, world)
    logger.info("watch it: tensorboard --logdir %s", exp_dir)
    for number, name in enumerate(config.pipeline.order, start=1):
        if name not in waiting:
            continue
        run = prepared.stage(name, corpus)
        if world.is_main:
            matters = what_matters(run.stage, run.plain)
            write_snapshot(matters, run.folder / "config.yaml")
        logger.info("stage %s (%d of %d)", name, number, len(config.pipeline.order))
        _RUN[type(run.stage)](decide_max_duration(run))
        world.wait()  # the first process has written what the next stage takes


def shown(config: object) -> dict[str, Any]:
    """Turn a configuration into plain values for logs and files, without secrets."""
    return masked(to_plain(config))


def what_matters(stage: StageConfig, plain: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a configuration that a stage depends on."""
    if isinstance(stage, TrainStageConfig):
        return plain
    keys = ("data", "tokenizer", "features", "pipeline", "exp_dir", "seed")
    return {key: plain[key] for key in keys}


def check_order(config: Config, exp_dir: Path) -> None:
    """Check that every stage comes after those whose results it takes.

    Raises:
        InputError: One does not, and the other has not been run before.
    """
    before: list[str] = []
    for name in config.pipeline.order:
        for needed in config.pipeline.stages[name].needs():
            if needed not in before and not is_done(exp_dir, needed):
                raise InputError(
                    f"stage {name} takes what stage {needed!r} leaves, but that is "
                    f"neither before it in pipeline.order "
                    f"({', '.join(config.pipeline.order)}) nor done in {exp_dir}"
                )
        before.append(name)


@dataclass(frozen=True)
class _Prepared:
    """What all stages of a run share."""

    config: Config
    exp_dir: Path
    tokenizer: Tokenizer
    world: World

    def stage(self, name: str, corpus: Corpus) -> StageRun:
        """Put together what a stage is run with."""
        config = for_stage(self.config, name)
        return StageRun(
            stage=config.pipeline.stages[name],
            config=config,
            plain=shown(config),
            folder=self.exp_dir / name,
            exp_dir=self.exp_dir,
            tokenizer=self.tokenizer,
            corpus=corpus,
            world=self.world,
        )


def load_corpus(
    config: Config, tokenizer: Tokenizer, exp_dir: Path, world: World
) -> Corpus:
    """Print and keep the data report; return the utterances that can be used."""
    left_out: set[str] = set()
    if world.is_main:
        report = report_data(config, tokenizer)
        report.write(exp_dir)
        logger.info("%s", report.render())
        parts = [*train_parts(config), *config.data.dev]
        left_out = {i for part in parts for i in report.left_out_ids(part)}
    left_out = world.gather(left_out)[0]
    train = select_cuts(config, train_parts(config), left_out)
    dev = select_cuts(config, config.data.dev, left_out)
    return Corpus(train, dev)
