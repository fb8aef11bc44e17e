"""Run by torchrun: two processes train; at the first attempt one of them stalls.

Usage: one_stalls.py FOLDER
"""

import json
import logging
import multiprocessing
import os
import sys
import time
from pathlib import Path

from asrkit.training.distributed import join_world
from tests.unit.training.toy import ToyTask, make_trainer

STALLS_AT = 8  # updates


def sleep_for_ever() -> None:
    time.sleep(1e6)


class Stalling(ToyTask):
    """Sleeps in an update instead of computing it."""

    def __init__(self, stalls: bool) -> None:
        super().__init__()
        self.stalls = stalls
        self.calls = 0

    def forward(self, batch):
        self.calls += 1
        if self.stalls and self.calls > STALLS_AT:
            sleep_for_ever()
        return super().forward(batch)


def main() -> None:
    folder = Path(sys.argv[1])
    logging.basicConfig(level=logging.INFO)
    first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    with join_world("cpu") as world:
        if first:  # a reader of data that hangs as well
            child = multiprocessing.Process(target=sleep_for_ever, daemon=True)
            child.start()
            (folder / f"child-{world.rank}").write_text(str(child.pid))
        trainer = make_trainer(
            folder / "exp", task=Stalling(first and world.rank == 1), world=world,
            save_every_updates=1, stall_minutes=0.2,
        )  # fmt: skip
        trainer.run()
        found = {"update": trainer.update, "calls": trainer.task.calls}
        (folder / f"{world.rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
