"""What all tests share."""

import logging
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import asrkit  # noqa: F401 - before torch, whose OpenMP reads the environment once

# isort: split
import torch

from asrkit.cli.logs import LogFile


@pytest.fixture(autouse=True)
def seed() -> None:
    """Give every test the same random numbers, whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - lhotse and torch data loading draw from it
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Take away the handlers of a command that ran in this process: their streams end
    with the test, and the next test's warnings would be errors of logging."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in list(root.handlers):
        if type(handler) in (logging.StreamHandler, LogFile):
            root.removeHandler(handler)
            handler.close()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of golden values and recordings, where there is one."""
    root = Path(__file__).resolve().parents[1]
    for folder in (root / "shared", root.parent / "shared"):
        if folder.is_dir():
            return folder
    pytest.skip("the folder of golden values and recordings is not here")
