"""Several processes learn what one does: summed gradients, halved batches, shards."""

import shutil

import pytest
import torch

from tests.integration import conftest
from tests.integration.conftest import run

pytestmark = pytest.mark.slow

LIMIT = 600  # seconds, for a busy machine


def torchrun(count):
    return [
        "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}",
    ]  # fmt: skip


@pytest.fixture
def trained(tmp_path):
    """Return a function that trains on made-up batches; see the script."""

    def train(processes, *arguments):
        out = tmp_path / f"{processes}-{'-'.join(map(str, arguments))}.pt"
        done = run(
            "tests/integration/several_processes.py", out, *arguments,
            processes=processes, timeout=LIMIT,
        )  # fmt: skip
        if done.returncode != 0:
            return done.stderr
        return torch.load(out, weights_only=True)

    return train


def differences(one, other):
    """Return the largest relative differences of gradients and of losses.

    Rounding grows faster in the timing head, where Adam divides small gradients by
    small roots: a tenth of its difference counts.
    """
    gradients, losses = [], []
    for a, b in zip(one["updates"], other["updates"], strict=True):
        assert a["gradients"].keys() == b["gradients"].keys()
        for head, share in ((False, 1.0), (True, 0.1)):
            x, y = (
                torch.cat(
                    [
                        gradient.flatten()
                        for name, gradient in update["gradients"].items()
                        if ("timing_head" in name) == head
                    ]
                ).double()
                for update in (a, b)
            )
            gradients.append(share * float((x - y).norm() / x.norm()))
        losses.append(abs(float(b["loss"] / a["loss"]) - 1.0))
    return max(gradients), max(losses)


def assert_same_form(one, other):
    """Check that two states have the same names, types and shapes."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            assert_same_form(one[name], other[name])
    elif isinstance(one, list):
        for a, b in zip(one, other, strict=True):
            assert_same_form(a, b)


def assert_close(one, other, **tolerance):
    for part in ("task", "average"):
        for name, value in one[part].items():
            torch.testing.assert_close(other[part][name], value, **tolerance)


def test_two_and_four_processes_make_the_updates_of_one(trained):
    alone = trained(1, "adamw", 50)
    for processes in (2, 4):
        gradient, loss = differences(alone, trained(processes, "adamw", 50))
        # Rounding grows over the updates, to 1.5e-6 on some processors.
        assert gradient < 1e-5
        assert loss < 1e-6


def test_one_process_may_halve_its_batches_or_use_other_parameters(trained):
    alone = trained(1, "adamw", 6, "unused")
    both = trained(2, "adamw", 6, "unused", "split")
    # Of the first process's twelve batches eight have four or five utterances.
    assert (alone["splits"], both["splits"]) == (0, 8)
    assert max(differences(alone, both)) < 1e-6
    assert "heads.0.weight" in both["updates"][0]["gradients"]
    assert "heads.1.weight" not in both["updates"][0]["gradients"]


# Muon's iteration makes more of the last bits, with whole matrices as well.
@pytest.mark.parametrize(
    ("optimizer", "tolerance"),
    [
        ("adamw", 3e-6), ("nadam", 3e-6), ("radam", 3e-6), ("scaled_adam", 3e-6),
        ("muon", 2e-3),
    ],
)  # fmt: skip
def test_a_shared_model_learns_the_same(trained, optimizer, tolerance):
    alone = trained(1, optimizer, 6)
    shared = trained(2, optimizer, 6, "shard")
    assert max(differences(alone, shared)) < tolerance
    assert_same_form(alone["state"], shared["state"])
    limits = {"rtol": 10 * tolerance, "atol": 10 * tolerance}
    assert_close(alone["state"], shared["state"], **limits)
    # One process's part is spoiled in the end, and both know.
    assert shared["finite"] == [(True, False), (True, False)]
    resumed = trained(2, optimizer, 6, "shard", "resume")
    assert_close(shared["state"], resumed["state"], rtol=0, atol=0)


def test_a_batch_of_a_shared_model_is_not_halved(trained):
    message = trained(2, "adamw", 2, "shard", "split")
    assert "InputError: a batch does not fit the memory (7.00 GiB asked for)" in message
    assert "with trainer.shard_model=true none is split" in message


def back_to_epoch(number, exp_dir, copy):
    """Copy an experiment as it was when an epoch had ended."""
    shutil.copytree(exp_dir, copy)
    folder = copy / "train"
    (folder / "done").unlink()
    kept = folder / "checkpoints" / f"epoch-{number}.pt"
    kept.replace(kept.with_name("last.pt"))
    for path in kept.parent.iterdir():
        if path.name != "last.pt":
            path.unlink()


def test_a_shared_model_by_the_real_commands(manifests, tmp_path):
    settings = ["num_epochs=4", "optim=adamw", "encoder.checkpoint_activations=true"]
    shared = [*settings, "trainer.shard_model=true"]

    def train(name, *arguments, processes=2):
        launcher = torchrun(processes) if processes > 1 else ()
        done = conftest.train(
            manifests, tmp_path / name, *arguments, launcher=launcher, timeout=LIMIT
        )
        assert done.returncode == 0, done.stderr
        path = tmp_path / name / "train" / "checkpoints" / "last.pt"
        return done.stderr, torch.load(path, weights_only=True)

    _, plain = train("plain", *settings)
    _, whole = train("whole", *shared)
    for part in ("task", "average", "optimizer"):
        assert_same_form(plain[part], whole[part])
    assert plain["update"] == whole["update"]
    assert_close(plain, whole, rtol=1e-4, atol=1e-5)
    for name, processes in (("again", 2), ("alone", 1)):
        back_to_epoch(2, tmp_path / "whole", tmp_path / name)
        output, state = train(name, *shared, processes=processes)
        assert "going on from" in output
        assert ("nothing to share" in output) == (processes == 1)
        if processes == 2:
            assert_close(whole, state, rtol=0, atol=0)
    done = run(
        "scripts/decode.py", "--exp-dir", tmp_path / "whole", "--sets", "test",
        timeout=LIMIT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "[test-greedy] %WER" in done.stderr
