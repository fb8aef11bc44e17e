"""Batches that do not fit the memory: halved with the same gradient, or explained."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from asrkit.training.distributed import World
from asrkit.training.gradients import Gradients
from asrkit.training.trouble.out_of_memory import is_out_of_memory, size_asked_for
from asrkit.utils.errors import InputError
from asrkit.utils.loss_output import LossOutput
from tests.unit.training.toy import CPU

MESSAGE = "CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has ..."


@dataclass
class Rows:
    x: torch.Tensor  # (B, T, 3)
    ids: list[str]

    def to(self, device):
        return self

    def split(self, count):
        return (
            Rows(self.x[:count], self.ids[:count]),
            Rows(self.x[count:], self.ids[count:]),
        )


class Breaks(torch.autograd.Function):
    """Passes values and gradients on, or does not."""

    @staticmethod
    def forward(ctx, x, error):
        ctx.error = error
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise ctx.error


class Task(nn.Module):
    """Has no memory for more than `room` frames, padding included."""

    def __init__(self, room=1000, where="forward", error=None):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)
        self.double()  # so that the order of a sum does not matter
        self.room, self.where = room, where
        self.error = error or torch.OutOfMemoryError(MESSAGE)
        self.passes = []

    def forward(self, batch):
        B, T, _ = batch.x.shape
        self.passes.append(B)
        fits = self.room >= B * T
        if not fits and self.where == "forward":
            raise self.error
        x = self.first(batch.x)
        if not fits:  # the second layer's gradient is added before backward breaks
            x = Breaks.apply(x, self.error)
        loss = self.second(x.tanh()).square().sum()
        stats = {"loss": loss.detach(), "utterances": torch.tensor(B)}
        return LossOutput(loss, torch.tensor(B * T), stats)


def group(*sizes):
    generator = torch.Generator().manual_seed(3)
    batches = []
    for number, (B, T) in enumerate(sizes):
        ids = [f"utt-{number}-{row}" for row in range(B)]
        x = torch.randn(B, T, 3, generator=generator, dtype=torch.float64)
        batches.append((Rows(x, ids), None))
    return batches


def compute(task, batches):
    gradients = Gradients(
        task, list(task.parameters()), CPU, clip_norm=0.0, autocast=False
    )
    found = gradients(batches)
    return gradients, found, [p.grad for p in task.parameters()]


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize(
    ("sizes", "splits", "passes"),
    [
        ([(5, 4)], 1, [5, 2, 3]),
        ([(2, 4), (5, 4), (1, 4)], 1, [2, 5, 2, 2, 3, 1]),
        ([(5, 4), (1, 4), (4, 4)], 2, [5, 2, 3, 1, 4, 2, 3, 1, 2, 2]),
    ],
)
def test_halves_give_the_gradient_of_the_whole(where, sizes, splits, passes, caplog):
    whole, found, expected = compute(Task(), group(*sizes))
    task = Task(room=12, where=where)
    halved, same, gradients = compute(task, group(*sizes))
    assert task.passes == passes
    assert (whole.split_batches, halved.split_batches) == (0, splits)
    for own, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(own, other)
    assert len(same.losses) == len(sizes)
    torch.testing.assert_close(same.losses, found.losses)
    torch.testing.assert_close(same.stats, found.stats)
    lines = [r.message for r in caplog.records if "two halves" in r.message]
    assert len(lines) == splits
    number = sizes.index((5, 4))
    assert "1.50 GiB" in lines[0]
    assert f"utt-{number}-0 utt-{number}-1" in lines[0]


def test_gradients_that_were_there_do_not_matter_when_one_fails():
    """A group begins anew: what came before its failure is computed again."""
    _, _, expected = compute(Task(), group((2, 4), (5, 4)))
    task = Task(room=12, where="backward")
    gradients = Gradients(
        task, list(task.parameters()), CPU, clip_norm=0.0, autocast=False
    )
    for _ in range(2):
        gradients(group((2, 4), (5, 4)))
        found = [p.grad.clone() for p in task.parameters()]
        for p in task.parameters():
            p.grad = None
        torch.testing.assert_close(found, expected)
    assert gradients.split_batches == 2


@pytest.mark.parametrize(
    ("size", "why", "names"),
    [
        ((1, 40), "it is of one utterance", "utt-0-0"),
        ((4, 40), "this is half of one already", "utt-0-0 utt-0-1"),
    ],
)
def test_what_does_not_fit_at_all_is_explained(size, why, names):
    with pytest.raises(InputError) as caught:
        compute(Task(room=12), group(size))
    message = str(caught.value)
    assert why in message
    assert "1.50 GiB asked for" in message
    assert message.endswith(f"Utterances: {names}")
    assert "train on smaller batches" in message


def test_the_task_says_what_to_change():
    task = Task(room=12)
    task.explain_memory = lambda batch: f"{len(batch.ids)} rows; lower data.max_rows"
    with pytest.raises(InputError, match=r"2 rows; lower data\.max_rows"):
        compute(task, group((4, 40)))


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    task = Task(room=1, error=RuntimeError("CUDA error: an illegal memory access"))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        compute(task, group((4, 4)))


def test_the_allocator_of_a_cpu_is_understood():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55, dtype=torch.int8)
    assert is_out_of_memory(caught.value)
    assert size_asked_for(str(caught.value)) == f"{2**25:.2f} GiB"
    assert is_out_of_memory(MemoryError())
    assert size_asked_for("") == "more than there is"
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"))
    assert is_out_of_memory(torch.OutOfMemoryError())
    assert not is_out_of_memory(RuntimeError("shape mismatch"))


class Pair(World):
    """Two processes that do the same."""

    def __init__(self):
        super().__init__(0, 2, torch.device("cpu"))
        object.__setattr__(self, "shared", [])

    def sum(self, values):
        return values.mul_(2)

    def sum_each(self, tensors):
        for tensor in tensors:
            tensor.mul_(2)

    def share(self, tensors):
        self.shared.append(len(tensors))


def test_what_is_not_used_stays_without_a_gradient_and_buffers_go_out_when_changed():
    class Counting(Task):
        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
            self.register_buffer("mean", torch.zeros(3))
            self.idle = nn.Linear(2, 2)

        def forward(self, batch):
            if len(batch.ids) > 2:
                self.seen += len(batch.ids)
            return super().forward(batch)

    task, world = Counting(), Pair()
    gradients = Gradients(
        task, list(task.parameters()), world, clip_norm=0.0, autocast=False
    )
    world.shared.clear()
    _, alone, expected = compute(Task(), group((2, 4), (5, 4)))
    for sizes, changed in [([(2, 4)], 0), ([(2, 4), (5, 4)], 1), ([(1, 4)], 0)]:
        found = gradients(group(*sizes))
        assert world.shared.pop() == changed
        assert [p.grad for p in task.idle.parameters()] == [None, None]
        own = [p.grad for p in task.parameters() if p.grad is not None]
        if changed:  # twice the batches are of twice the weight
            torch.testing.assert_close(own, expected)
            assert found.stats["utterances"] == 2 * alone.stats["utterances"]
        for p in task.parameters():
            p.grad = None


class Beside(Task):
    """Trains a parameter beside the others, with a gradient of any size."""

    def __init__(self, factor):
        super().__init__()
        self.apart = nn.Linear(1, 2, bias=False, dtype=torch.float64)
        self.factor = factor

    def forward(self, batch):
        output = super().forward(batch)
        more = self.factor * self.apart.weight.sum()
        loss = output.loss + (more - more.detach())
        return LossOutput(loss, output.weight, output.stats)


def test_a_gradient_apart_is_clipped_by_itself():
    results = []
    for factor in (1.0, 1e6):
        task = Beside(factor)
        gradients = Gradients(
            task, list(task.parameters()), CPU, apart=["apart"], clip_norm=0.01,
            autocast=False,
        )  # fmt: skip
        found = gradients(group((3, 4)))
        rest = [p.grad for n, p in task.named_parameters() if "apart" not in n]
        results.append((found.norm, *rest))
        norm = torch.cat([g.flatten() for g in rest]).norm()
        assert float(norm) == pytest.approx(0.01, rel=1e-3)
        assert float(task.apart.weight.grad.norm()) == pytest.approx(0.01, rel=1e-3)
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_a_gradient_apart_that_is_not_finite_is_seen():
    task = Beside(float("inf"))
    gradients = Gradients(
        task, list(task.parameters()), CPU, apart=["apart"], clip_norm=1.0,
        autocast=False,
    )  # fmt: skip
    assert not gradients(group((3, 4))).finite
