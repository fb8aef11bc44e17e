"""Training that stands still: every process says where it is, and ends."""

import json
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT, run
from tests.unit.training.toy import PER_EPOCH

pytestmark = pytest.mark.slow

LIMIT = 600  # seconds, for a busy machine
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
TORCHRUN += ["--max-restarts=1"]
STALLS_AT = 8  # updates, as in one_stalls.py


def is_alive(pid):
    """Say whether a process runs; one that has ended may wait for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_all_processes_say_where_they_are_and_are_started_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = run(
        "tests/integration/one_stalls.py", tmp_path,
        launcher=TORCHRUN, timeout=LIMIT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "(exitcode: 75)" in done.stderr
    stacks = [(tmp_path / "exp" / f"stall_rank{r}.txt").read_text() for r in (0, 1)]
    for rank, text in enumerate(stacks):
        assert f"rank {rank}, process" in text
        assert f"\nutt-{STALLS_AT - 1}\nutt-{STALLS_AT}\n" in text
        assert f"rank {rank}: training stands still" in done.stderr
        assert not is_alive(int((tmp_path / f"child-{rank}").read_text()))
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found == {"update": 3 * PER_EPOCH, "calls": 3 * PER_EPOCH - STALLS_AT}
    assert "in sleep_for_ever" in stacks[1]
    assert "in sleep_for_ever" not in stacks[0]
    assert "in all_reduce" in stacks[0]  # it waits for the other
