"""How much memory there is, from made-up files of the system."""

import pytest
import torch

from asrkit.pipeline.memory import room
from asrkit.pipeline.memory.room import find_room, free_memory
from asrkit.utils.errors import InputError

GB = 10**9


@pytest.fixture
def system(tmp_path):
    """Return a function that writes what the system tells of itself."""
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    cgroups.mkdir()

    def write(available, own="/", **groups):
        lines = f"MemTotal: 99999999 kB\nMemAvailable: {available // 1000} kB\n"
        (proc / "meminfo").write_text(lines)
        (proc / "self" / "cgroup").write_text(f"1:name=x:/other\n0::{own}\n")
        for name, (limit, used, files) in groups.items():
            folder = cgroups / name.replace("_", "/").strip("/")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "memory.max").write_text(f"{limit}\n")
            (folder / "memory.current").write_text(f"{used}\n")
            (folder / "memory.stat").write_text(f"anon 5\ninactive_file {files}\n")
        return free_memory(proc, cgroups)

    return write


def test_without_groups_the_machine_decides(system):
    assert system(4 * GB) == 4 * GB // 1000 * 1024  # the system counts in KiB


def test_a_containers_limit_counts_without_copies_of_files(system):
    assert system(50 * GB, _=(8 * GB, 3 * GB, GB)) == 6 * GB


def test_the_tightest_group_counts(system):
    tight = {"job": (9 * GB, 2 * GB, 0), "job_step": ("max", 2 * GB, 0)}
    assert system(50 * GB, own="/job/step", **tight) == 7 * GB
    assert system(50 * GB, own="/job", _=(6 * GB, 2 * GB, 0)) == 4 * GB


def test_a_limit_counts_what_is_held(monkeypatch):
    cpu = torch.device("cpu")
    found = find_room(cpu, 64.0)
    assert found.limit == 64 * GB
    assert 0.05 * GB < found.held < 8 * GB
    assert found.bytes == pytest.approx(0.96 * 64 * GB - found.held)
    monkeypatch.setattr(room, "free_memory", lambda: 10 * GB)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    shared = find_room(cpu, None)
    assert shared.limit - shared.held == 5 * GB
    with pytest.raises(InputError, match=r"data.memory_gb gives 0.01 GB, but"):
        find_room(cpu, 0.01)
