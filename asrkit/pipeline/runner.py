"""Runs the stages of a pipeline: skips what is done, resumes what is not."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from asrkit.pipeline.config import Config
from asrkit.pipeline.decode.choose_search import choose_search
from asrkit.pipeline.experiment import is_done
from asrkit.pipeline.for_stage import for_stage
from asrkit.pipeline.snapshot import check_snapshot, write_snapshot
from asrkit.pipeline.stages.preparation import (
    ensure_tokenizer,
    report_data,
    select_cuts,
    train_parts,
)
from asrkit.pipeline.stages.results import read_done, write_done
from asrkit.pipeline.stages.sampling_rate import decide_sampling_rate
from asrkit.pipeline.stages.stage_run import Corpus, StageRun
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.distributed import World
from asrkit.utils.errors import InputError
from asrkit.utils.mask import masked
from asrkit.utils.plain import to_plain
from asrkit.utils.programs import find_program

logger = logging.getLogger(__name__)


def run_pipeline(config: Config, world: World) -> None:
    """Run all stages in order.

    Args:
        config: The run's configuration.
        world: This process among its like.

    Raises:
        InputError: Something in configuration or data is wrong.
    """
    exp_dir, pipeline = Path(config.exp_dir), config.pipeline
    views = {name: for_stage(config, name) for name in pipeline.order}
    trained = [views[name] for name in pipeline.training()]
    if trained:
        last = trained[-1]
        choose_search(last.decode, last.loss, last.joiner)
    # It opens the data: mistakes that can be told without them come before.
    config = decide_sampling_rate(config)
    views = {n: replace(view, features=config.features) for n, view in views.items()}
    trained = [views[name] for name in pipeline.training()]
    plain = {
        name: pipeline.stages[name].matters(shown(view)) for name, view in views.items()
    }
    waiting = check_stages(config, plain)
    if not waiting:
        return
    tokenizer = ensure_tokenizer(config, world)
    runs = [
        StageRun(
            stage=pipeline.stages[name],
            config=views[name],
            plain=plain[name],
            folder=exp_dir / name,
            exp_dir=exp_dir,
            tokenizer=tokenizer,
            world=world,
        )
        for name in waiting
    ]
    for run in runs:
        run.stage.check(run)
    corpus = Corpus()
    if any(run.stage.takes_corpus for run in runs):
        corpus = load_corpus(config, tokenizer, trained, world)
    logger.info("watch it: %s --logdir %s", find_program("tensorboard"), exp_dir)
    for run in runs:
        name, number = run.folder.name, pipeline.order.index(run.folder.name) + 1
        if world.is_main:
            write_snapshot(run.plain, run.folder / "config.yaml")
        logger.info("stage %s (%d of %d)", name, number, len(pipeline.order))
        if (reason := why_left_out(run)) is None:
            run.stage.run(replace(run, corpus=corpus))
        elif world.is_main:
            write_done(run.folder, {"left_out": reason})
        world.wait()  # the first process has written what the next stage takes


def why_left_out(run: StageRun) -> str | None:
    """Say why a stage is not worth its time; None if it is.

    Raises:
        InputError: The stage that it goes by has ended without that error rate on dev.
    """
    only_if, scalar = run.stage.only_if, run.config.decode.unit.scalar
    if only_if.stage is None:
        return None
    reached = read_done(run.exp_dir / only_if.stage)
    if (rate := reached.get(scalar)) is None:
        raise InputError(
            f"stage {run.folder.name} goes by the dev {scalar} of stage "
            f"{only_if.stage}, which has ended without one: set pipeline.stages."
            f"{run.folder.name}.only_if.stage to null, or to another stage"
        )
    if rate <= only_if.error_rate:
        return None
    return (
        f"best dev {scalar} {rate:.4g} of stage {only_if.stage} is above "
        f"{only_if.error_rate:g} (only_if.error_rate)"
    )


def check_stages(config: Config, plain: Mapping[str, Any]) -> list[str]:
    """Check the stages' order, and their configurations against those they ran with.

    Args:
        config: The run's configuration.
        plain: By stage: what it depends on.

    Returns:
        The names of those that are not done.

    Raises:
        InputError: Something does not fit.
    """
    exp_dir, waiting = Path(config.exp_dir), []
    check_order(config, exp_dir)
    for name in config.pipeline.order:
        done = is_done(exp_dir, name)
        check_snapshot(plain[name], exp_dir / name / "config.yaml", done=done)
        if done:
            logger.info("stage %s is done: %s", name, exp_dir / name)
        else:
            waiting.append(name)
    return waiting


def shown(config: object) -> dict[str, Any]:
    """Turn a configuration into plain values for logs and files, without secrets."""
    return masked(to_plain(config))


def check_order(config: Config, exp_dir: Path) -> None:
    """Check that every stage comes after those whose results it takes.

    Raises:
        InputError: One does not, and the other has not been run before.
    """
    before: list[str] = []
    scalar = config.decode.unit.scalar
    for name in config.pipeline.order:
        stage = config.pipeline.stages[name]
        for needed in stage.needs():
            if needed not in before and not is_done(exp_dir, needed):
                raise InputError(
                    f"stage {name} takes what stage {needed!r} leaves, but that is "
                    f"neither before it in pipeline.order "
                    f"({', '.join(config.pipeline.order)}) nor done in {exp_dir}"
                )
        goes_by = stage.only_if.stage
        if goes_by and goes_by not in before and not is_done(exp_dir, goes_by):
            raise InputError(
                f"stage {name} goes by the dev {scalar} of stage {goes_by!r}, but that "
                f"is neither before it in pipeline.order nor done in {exp_dir}; to run "
                f"it whatever the {scalar} is, set pipeline.stages.{name}.only_if."
                "stage=null"
            )
        before.append(name)


def load_corpus(
    config: Config, tokenizer: Tokenizer, trained: Sequence[Config], world: World
) -> Corpus:
    """Print and keep the data report; return the utterances that can be used."""
    left_out: set[str] = set()
    if world.is_main:
        report = report_data(config, tokenizer, trained)
        report.write(Path(config.exp_dir))
        logger.info("%s", report.render())
        parts = [*train_parts(config), *config.data.dev]
        left_out = {i for part in parts for i in report.left_out_ids(part)}
    left_out = world.gather(left_out)[0]
    train = select_cuts(config, train_parts(config), left_out)
    dev = select_cuts(config, config.data.dev, left_out)
    return Corpus(train, dev, max_seconds=config.data.max_seconds)
