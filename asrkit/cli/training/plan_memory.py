"""`scripts/plan_memory.py key=value ...`: how much memory a training will take."""

import logging
from pathlib import Path

import torch

from asrkit.cli.compose import run_with_config
from asrkit.cli.logs import start_logging
from asrkit.pipeline.components import COMPONENTS
from asrkit.pipeline.config import Config
from asrkit.pipeline.for_stage import for_stage
from asrkit.pipeline.memory.heap import steady_heap
from asrkit.pipeline.memory.room import find_room
from asrkit.pipeline.memory.shapes import read_utterances
from asrkit.pipeline.memory.table import LossRow, Table, compare
from asrkit.pipeline.runner import shown
from asrkit.pipeline.stages.preparation import (
    ensure_tokenizer,
    report_data,
    select_cuts,
    train_parts,
)
from asrkit.pipeline.stages.sampling_rate import decide_sampling_rate
from asrkit.pipeline.stages.stage_run import Corpus, StageRun
from asrkit.training.distributed import World, choose_device
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


def main() -> int:
    """Print a table of losses by batch seconds, and which to take."""
    return run_with_config(plan)


def plan(config: Config) -> None:
    """Measure and print."""
    start_logging(None, "plan")
    run = first_training(config)
    steady_heap(run.world.device)
    utterances = read_utterances(run)
    room = find_room(run.world.device, config.data.memory_gb)
    logger.info("%s", room.describe())
    print(render(compare(run, utterances, room, COMPONENTS["loss"])))


def first_training(config: Config) -> StageRun:
    """Put together what the first stage that trains would be run with.

    Raises:
        InputError: No stage trains.
    """
    config = decide_sampling_rate(config)
    world = World(0, 1, choose_device(config.trainer.device))
    if world.device.type == "cuda":
        torch.cuda.set_device(world.device)
    if not config.pipeline.training():
        raise InputError("pipeline.order names no stage that trains")
    name = config.pipeline.training()[0]
    tokenizer = ensure_tokenizer(config, world)
    trained = [for_stage(config, one) for one in config.pipeline.training()]
    parts, report = train_parts(config), report_data(config, tokenizer, trained)
    left_out = {i for part in parts for i in report.left_out_ids(part)}
    cuts = select_cuts(config, parts, left_out)
    config = trained[0]
    exp_dir = Path(config.exp_dir)
    return StageRun(
        stage=config.pipeline.stages[name],
        config=config,
        plain=shown(config),
        folder=exp_dir / name,
        exp_dir=exp_dir,
        tokenizer=tokenizer,
        corpus=Corpus(cuts, cuts),
        world=world,
    )


def render(table: Table) -> str:
    """Write the table, and which loss to take."""
    limit, room = table.room.bytes + table.room.held, table.room
    head = ["GB with batches of", *(f"{one:g} s" for one in table.columns)]
    lines = [[*head, "largest", "x real time"]]
    for row in table.rows:
        cells = [f"{b / 1e9:.2f}{'' if b <= limit else '!'}" for b in row.bytes]
        longest = "none fits" if row.longest is None else f"{row.longest:g} s"
        lines.append([f"loss={row.name}", *cells, longest, f"{row.speed:.0f}"])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    shown.append(f"!: more than {limit / 1e9:.2f} GB ({room.describe()})")
    shown.append(advise(table.choice))
    return "\n".join(shown)


def advise(choice: LossRow | None) -> str:
    """Say in a line which loss to take, and why."""
    if choice is None:
        return (
            "take none of them: not even the longest utterance fits; leave such out "
            "with data.max_seconds, or choose a smaller encoder"
        )
    return (
        f"take loss={choice.name} data.max_duration={choice.longest:g}: of the losses "
        "with the largest batches that fit and leave an epoch 20 updates, none trains "
        f"much faster ({choice.speed:.0f} times real time)"
    )
