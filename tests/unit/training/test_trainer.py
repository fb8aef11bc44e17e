"""The trainer on a toy task: exact sums, exact resume, what it does when stopped."""

import itertools
import os
import signal
from dataclasses import asdict, dataclass

import pytest
import torch
from torch import nn

from asrkit.training.distributed import World
from asrkit.training.optim import AdamWConfig
from asrkit.training.tensorboard import Evaluation
from asrkit.training.trainer import Length, Trainer, TrainerConfig
from asrkit.utils.errors import InputError
from asrkit.utils.loss_output import LossOutput

CPU = World(0, 1, torch.device("cpu"))
PER_EPOCH = 6


@dataclass
class ToyBatch:
    x: torch.Tensor
    y: torch.Tensor

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
        yield ToyBatch(x, x.sum(1)), ToyPosition(number + 1)


def make_trainer(folder, *, num_epochs=3, task=None, batches=toy_batches, **config):
    task = task or ToyTask()
    return Trainer(
        task,
        AdamWConfig(lr=1e-2).build(task),
        factor=lambda moment: 1.0 - 0.5 * moment.share,
        batches=batches,
        length=Length(num_epochs),
        validate=lambda module: Evaluation({"wer": 50.0}),
        select="wer",
        summarize=lambda sums: {"seconds": sums["wall_seconds"]},
        headline=[],
        description={"config": {}, "tokenizer": {}, "versions": {}},
        announce=lambda moment: None,
        folder=folder,
        world=CPU,
        config=TrainerConfig(**config),
    )


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.task.parameters()])


def test_a_run_that_was_stopped_ends_with_the_same_weights(tmp_path):
    torch.manual_seed(5)
    whole = make_trainer(tmp_path / "whole")
    whole.run()
    torch.manual_seed(5)

    def broken(position):
        for index, item in enumerate(toy_batches(position)):
            if index == 10:  # in the middle of the second epoch
                raise OSError("the machine went away")
            yield item

    stopped = make_trainer(tmp_path / "parts", batches=broken, save_every_updates=1)
    with pytest.raises(OSError, match="went away"):
        stopped.run()
    torch.manual_seed(99)
    resumed = make_trainer(tmp_path / "parts")
    resumed.run()
    assert resumed.update == whole.update == 3 * PER_EPOCH
    assert torch.equal(weights(resumed), weights(whole))
    for own, other in zip(
        resumed.average.module.parameters(),
        whole.average.module.parameters(),
        strict=True,
    ):
        assert torch.equal(own, other)


def test_accumulation_gives_the_gradient_of_the_whole(tmp_path):
    def doubled(position):
        stream = toy_batches(position)
        for (a, _), (b, at) in zip(stream, stream, strict=False):
            yield ToyBatch(torch.cat([a.x, b.x]), torch.cat([a.y, b.y])), at

    results = []
    for batches, accumulate in ((toy_batches, 2), (doubled, 1)):
        task = ToyTask()
        task.layers[1].p = 0.0
        trainer = make_trainer(
            tmp_path / str(accumulate), task=task, batches=batches,
            accumulate=accumulate,
        )  # fmt: skip
        trainer.run()
        results.append((trainer.update, weights(trainer)))
    assert results[0][0] == results[1][0]
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-5, atol=1e-6)


def test_sigint_saves_and_the_next_run_goes_on(tmp_path):
    def interrupting(position):
        for index, item in enumerate(toy_batches(position)):
            if index == 4:
                os.kill(os.getpid(), signal.SIGINT)
            yield item

    trainer = make_trainer(tmp_path, batches=interrupting)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert trainer.update == 5
    resumed = make_trainer(tmp_path)
    resumed.resume()
    assert resumed.update == 5
    assert torch.equal(weights(resumed), weights(trainer))


def test_a_gradient_that_is_not_finite_is_left_out(tmp_path, caplog):
    def spoiled(position):
        for index, (batch, at) in enumerate(toy_batches(position)):
            if index == 3:
                batch.y = batch.y * float("nan")
            yield batch, at

    trainer = make_trainer(tmp_path, batches=spoiled)
    trainer.run()
    assert torch.isfinite(weights(trainer)).all()
    assert caplog.text.count("left out") == 1


def test_ten_bad_gradients_in_a_row_stop_the_run(tmp_path):
    def spoiled(position):
        for batch, at in toy_batches(position):
            yield ToyBatch(batch.x, batch.y * float("nan")), at

    with pytest.raises(InputError, match="ten updates in a row"):
        make_trainer(tmp_path, batches=spoiled).run()


def test_the_best_checkpoint_is_that_of_the_lowest_score(tmp_path):
    scores = iter([30.0, 10.0, 20.0])
    trainer = make_trainer(tmp_path)
    kept = []

    def validate(module):
        kept.append({k: v.clone() for k, v in module.state_dict().items()})
        return Evaluation({"wer": next(scores)})

    trainer.validate = validate
    trainer.run()
    best = torch.load(trainer.checkpoints.best, weights_only=True)
    assert best["best"] == 10.0
    for name, value in kept[1].items():
        assert torch.equal(best["average"][name], value)
    assert [p.name for p in trainer.checkpoints.epochs()] == [
        "epoch-1.pt", "epoch-2.pt", "epoch-3.pt",
    ]  # fmt: skip
