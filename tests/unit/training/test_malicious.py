"""A checkpoint that holds code: it is refused wherever one is read, and not run."""

import os
import re
from pathlib import Path

import pytest
import torch

from asrkit.cli.decoding import decode
from asrkit.cli.training import average
from asrkit.pipeline.stages.initialization import InitConfig, initialize
from asrkit.utils.errors import InputError
from tests.unit.training.toy import make_trainer


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


@pytest.fixture
def evil(tmp_path):
    """Write a stage whose checkpoints all hold a command; return the experiment."""
    folder = tmp_path / "exp" / "train" / "checkpoints"
    folder.mkdir(parents=True)
    state = {"average": {"w": torch.ones(2)}, "config": Evil(tmp_path / "run")}
    for name in ("best.pt", "last.pt", "epoch-1.pt"):
        torch.save(state, folder / name)
    yield tmp_path / "exp"
    assert not (tmp_path / "run").exists()


def refuses(folder, name):
    """Expect that a checkpoint is refused."""
    path = re.escape(str(folder / "train" / "checkpoints" / name))
    return pytest.raises(
        InputError, match=rf"{path} holds code \(posix\.system\).* none of it was run"
    )


def test_training_does_not_go_on_from_it(evil):
    trainer = make_trainer(evil / "train")
    with pytest.raises(InputError, match=r"last.pt holds code \(posix.system\)"):
        trainer.run()


def test_decoding(evil):
    with refuses(evil, "best.pt"):
        decode.main(["--exp-dir", str(evil), "--device", "cpu"])


def test_averaging(evil):
    with refuses(evil, "epoch-1.pt"):
        average.main(["--exp-dir", str(evil), "--last", "1"])


def test_taking_weights_from_it(evil):
    path = evil / "train" / "checkpoints" / "best.pt"
    with refuses(evil, "best.pt"):
        initialize(None, InitConfig(path=str(path)), evil)
