"""Which checkpoints an average takes."""

import torch

from asrkit.cli.training.average import as_good_as_best, average, last_epochs
from asrkit.training.checkpoints.checkpoint import Checkpoints


def save(folder, values):
    """Save an epoch a value on dev; the lowest so far is the best."""
    checkpoints = Checkpoints(folder, keep=9)
    best = float("inf")
    for epoch, dev in enumerate(values, 1):
        state = {
            "average": {"w": torch.full((2,), float(epoch))},
            "update": 10 * epoch,
            "dev": dev,
            **dict.fromkeys(("config", "tokenizer", "versions")),
        }
        is_best = dev is not None and dev <= best
        checkpoints.save(state, best=is_best, epoch=epoch)
        best = min(best, dev or best)


def test_only_those_close_to_the_best_are_averaged(tmp_path):
    save(tmp_path, [96.0, 65.0, 2.9, 2.7, None, 3.1])
    chosen = as_good_as_best(tmp_path)
    assert [path.name for path in chosen] == ["best.pt", "epoch-3.pt"]
    assert average(chosen)["average"]["w"].tolist() == [3.5, 3.5]


def test_the_last_epochs_can_be_asked_for(tmp_path):
    save(tmp_path, [5.0, 4.0, 3.0])
    names = [path.name for path in last_epochs(tmp_path, 2)]
    assert names == ["epoch-2.pt", "epoch-3.pt"]
