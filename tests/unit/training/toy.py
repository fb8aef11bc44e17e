"""A task of a few numbers, for tests of the trainer."""

import itertools
from dataclasses import asdict, dataclass, field

import torch
from torch import nn

from asrkit.training.distributed import World
from asrkit.training.length import Length
from asrkit.training.optimizers.optim import AdamWConfig
from asrkit.training.progress.tensorboard import Evaluation
from asrkit.training.selection import Selection
from asrkit.training.trainer import Trainer, TrainerConfig
from asrkit.utils.loss_output import LossOutput

CPU = World(0, 1, torch.device("cpu"))
PER_EPOCH = 6


@dataclass
class ToyBatch:
    x: torch.Tensor
    y: torch.Tensor
    ids: list[str] = field(default_factory=list)

    def to(self, device):
        return self


@dataclass(frozen=True)
class ToyPosition:
    batches: int

    @property
    def epochs(self):
        return self.batches / PER_EPOCH

    def state_dict(self):
        return asdict(self)


class ToyTask(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))

    def forward(self, batch):
        loss = (self.layers(batch.x)[:, 0] - batch.y).square().sum()
        return LossOutput(loss, torch.tensor(len(batch.y)), {"loss": loss.detach()})


def toy_batches(position):
    start = 0 if position is None else int(position["batches"])
    for number in itertools.count(start):
        generator = torch.Generator().manual_seed(number % PER_EPOCH)
        size = 4 + number % 3  # uneven on purpose
        x = torch.randn(size, 3, generator=generator)
        yield ToyBatch(x, x.sum(1), [f"utt-{number}"]), ToyPosition(number + 1)


def make_trainer(
    folder,
    *,
    num_epochs=3,
    task=None,
    batches=toy_batches,
    world=CPU,
    selection=None,
    until=None,
    readings=None,
    memory_limit_gb=None,
    **config,
):
    task = task or ToyTask()
    return Trainer(
        task,
        AdamWConfig(lr=1e-2).build(task),
        factor=lambda progress: 1.0 - 0.5 * progress.share,
        batches=batches,
        length=Length(num_epochs),
        validate=lambda module: Evaluation({"wer": 50.0}),
        selection=selection or Selection("wer"),
        summarize=lambda sums: {"seconds": sums["wall_seconds"]},
        headline=[],
        description={"config": {}, "tokenizer": {}, "versions": {}},
        announce=lambda progress: None,
        folder=folder,
        world=world,
        config=TrainerConfig(**config),
        until=until,
        readings=readings,
        memory_limit_gb=memory_limit_gb,
    )


def spoil(numbers):
    """Return toy batches; those of `numbers` have labels that are not a number."""

    def batches(position):
        for batch, at in toy_batches(position):
            if at.batches - 1 in numbers:
                batch.y = batch.y * float("nan")
            yield batch, at

    return batches


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.task.parameters()])
