"""Run by torchrun: two processes train, one of which meets a bad batch now and then.

Usage: one_bad_rank.py FOLDER
"""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from asrkit.training.distributed import join_world
from asrkit.utils.files import atomic_write
from tests.unit.training.toy import make_trainer, spoil, toy_batches, weights


def main() -> None:
    folder = Path(sys.argv[1])
    with join_world("cpu") as world:
        bad = {3, 9} if world.rank == 1 else {5}
        trainer = make_trainer(
            folder / "exp", batches=spoil(bad), world=world, dump_bad_updates=1
        )
        trainer.run()
        own = weights(trainer)
        first = own.clone()
        dist.broadcast(first, 0)
        found = {
            "equal": torch.equal(own, first),
            "finite": bool(torch.isfinite(own).all()),
            "total": trainer.bad.total,
        }
        with atomic_write(folder / f"{world.rank}.json", "w") as file:
            json.dump(found, file)
        # All of them in a row: both go back, and both stop.
        trainer = make_trainer(
            folder / "stop",
            batches=spoil(range(8, 40)) if world.rank == 1 else toy_batches,
            world=world,
            bad_updates_in_a_row=3,
        )
        trainer.run()


if __name__ == "__main__":
    main()
