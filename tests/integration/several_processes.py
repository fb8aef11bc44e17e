"""Run by torchrun, or alone: trains a small recognizer on made-up batches.

Usage: several_processes.py OUT.pt OPTIMIZER UPDATES [split] [shard] [unused] [resume]

An update takes the same four batches, however many processes share them. The first
process writes what came of every update, and the states in the end.
"""

import sys
from pathlib import Path

import torch
from torch import nn

from asrkit.data.batches.batch import Batch
from asrkit.data.features.spec_augment import SpecAugmentConfig
from asrkit.losses.full import FullLossConfig
from asrkit.training.checkpoints.average import RunningAverage
from asrkit.training.checkpoints.saving import all_finite, host_copy
from asrkit.training.distributed import World, join_world
from asrkit.training.gradients import Gradients
from asrkit.training.optimizers.muon import MuonConfig
from asrkit.training.optimizers.optim import AdamWConfig, NAdamConfig, RAdamConfig
from asrkit.training.optimizers.scaled_adam import ScaledAdamConfig
from asrkit.training.sharding import (
    load_whole,
    load_whole_optimizer,
    shard,
    whole_state,
)
from asrkit.utils.files import atomic_write
from tests.unit.pipeline.tasks.test_asr_task import make_task

OPTIMIZERS = {
    "adamw": AdamWConfig, "nadam": NAdamConfig, "radam": RAdamConfig,
    "muon": MuonConfig, "scaled_adam": ScaledAdamConfig,
}  # fmt: skip
PER_UPDATE = 4


class Short(nn.Module):
    """Has no memory for more than three utterances in the first process.

    With `unused` a head of its own takes part in some batches only, another in none.
    """

    def __init__(self, task, room, *, unused):
        super().__init__()
        self.task = task
        self.room = room
        self.heads = nn.ModuleList(nn.Linear(1, 1) for _ in range(2))
        self.unused = unused

    def forward(self, batch):
        if len(batch.ids) > self.room:
            raise torch.OutOfMemoryError("Tried to allocate 7.00 GiB")
        output = self.task(batch)
        if self.unused and batch.ids[0].endswith("1-0"):
            output.loss = output.loss + self.heads[0](output.loss[None])[0]
        return output


def make_batch(number):
    generator = torch.Generator().manual_seed(number)
    B = 3 + number % 3
    lens = torch.randint(60, 100, (B,), generator=generator)
    token_lens = torch.randint(1, 6, (B,), generator=generator)
    return Batch(
        ids=[f"{number % PER_UPDATE}-{row}" for row in range(B)],
        texts=[""] * B, speakers=[None] * B,
        signal=torch.randn(B, 100, 80, generator=generator), signal_lens=lens,
        tokens=torch.randint(1, 7, (B, 5), generator=generator),
        token_lens=token_lens, durations=[1.0] * B,
    )  # fmt: skip


class Run:
    """A training of few lines."""

    def __init__(self, world, optimizer, kinds):
        task = make_task(FullLossConfig(), num_layers=2)
        task.augment = SpecAugmentConfig(
            num_time_masks=0, num_freq_masks=0, time_warp=0
        ).build()
        room = 3 if "split" in kinds and world.is_main else 100
        task = Short(task, room, unused="unused" in kinds)
        with torch.no_grad():  # as if each process had its own; the first's count
            for p in task.parameters():
                p += world.rank
        self.task, self.world = task, world
        self.optimizer = OPTIMIZERS[optimizer]().build(task)
        self.average = RunningAverage(task, 0.9)
        if "shard" in kinds and shard(task, self.optimizer, world):
            self.average.shard(task)
        self.parameters = [p for p in task.parameters() if p.requires_grad]
        self.gradients = Gradients(
            task,
            self.parameters,
            world,
            apart=[f"task.{name}" for name in task.task.apart],
            clip_norm=5.0,
            autocast=False,
        )

    def update(self, number):
        first = PER_UPDATE * number + self.world.rank
        last = PER_UPDATE * (number + 1)
        numbers = range(first, last, self.world.size)
        found = self.gradients([(make_batch(n), None) for n in numbers])
        grads = whole_state({n: p.grad for n, p in self.task.named_parameters()})
        grads = {n: g.clone() for n, g in grads.items() if g is not None}
        self.optimizer.step()
        self.average.update()
        self.optimizer.zero_grad()
        return {"loss": found.stats["loss"], "norm": found.norm, "gradients": grads}

    def state(self):
        return {
            "task": whole_state(self.task.state_dict()),
            "average": self.average.state_dict(),
            "optimizer": whole_state(self.optimizer.state_dict()),
        }

    def restore(self, state):
        load_whole(self.task, state["task"])
        self.average.load_state_dict(state["average"])
        load_whole_optimizer(self.optimizer, state["optimizer"])


def train(world: World, optimizer, updates, kinds, out):
    run = Run(world, optimizer, kinds)
    found = []
    for number in range(updates):
        if number == updates // 2 and "resume" in kinds:
            updates_so_far = run.average.updates
            state = run.state()
            if world.is_main:
                torch.save(state, out.with_suffix(".half"))
            world.wait()
            run = Run(world, optimizer, kinds)
            run.update(99)  # so that there is something to overwrite
            run.restore(torch.load(out.with_suffix(".half"), weights_only=True))
            run.average.updates = updates_so_far
        found.append(run.update(number))
    finite = all_finite(run.parameters)
    state = host_copy(run.state())
    averaged = run.average.module.state_dict()
    if world.is_main:
        for name, value in averaged.items():
            assert torch.equal(value, state["average"][name]), name
    with torch.no_grad():
        if world.rank == world.size - 1:
            p = run.parameters[0]
            (p.to_local() if "shard" in kinds and world.size > 1 else p).fill_(
                torch.nan
            )
    spoiled = all_finite(run.parameters)
    whole = world.gather((finite, spoiled))
    if world.is_main:
        with atomic_write(out) as file:
            torch.save(
                {
                    "updates": found,
                    "state": state,
                    "splits": run.gradients.split_batches,
                    "finite": whole,
                },
                file,
            )


def main():
    out, optimizer, updates, *kinds = sys.argv[1:]
    torch.set_num_threads(1)
    with join_world("cpu") as world:
        train(world, optimizer, int(updates), kinds, Path(out))


if __name__ == "__main__":
    main()
