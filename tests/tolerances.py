"""How much of their tolerances the tests use, in several ways to compute the same.

    python tests/tolerances.py [--top 20] [pytest arguments]

Runs the numeric tests with one and two threads, without ATen's vectors and with oneDNN
kept to SSE 4.1, and prints the largest |difference| / tolerance of each test. A test
that uses half of its tolerance here fails on some other machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import asrkit  # noqa: F401 - before torch, whose OpenMP reads the environment once

# isort: split
import torch

# ruff: noqa: T201 - a script

ROOT = Path(__file__).resolve().parents[1]
NUMERIC = [
    "tests/numerics",
    *(f"tests/unit/{part}" for part in ("decoding", "losses", "models")),
    *(f"tests/unit/{part}" for part in ("pipeline", "text", "training")),
]
WAYS = {
    "one thread": {"OMP_NUM_THREADS": "1"},
    "two threads": {"OMP_NUM_THREADS": "2"},
    "ATen plain": {"OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "default"},
    "oneDNN SSE41": {"OMP_NUM_THREADS": "1", "DNNL_MAX_CPU_ISA": "SSE41"},
}
BOUND = 0.5


class Shares:
    """A pytest plugin that keeps the largest share of a tolerance of each test."""

    def __init__(self, path):
        self.path = path
        self.shares = defaultdict(float)

    def note(self, actual, expected, rtol, atol):
        """Take in numbers of one shape; those that are not finite must be equal."""
        actual, expected = (np.asarray(x, dtype="f8") for x in (actual, expected))
        finite = np.isfinite(expected) & np.isfinite(actual)
        actual, expected = actual[finite], expected[finite]
        allowed = atol + rtol * np.abs(expected)
        difference = np.abs(actual - expected)
        used = difference[difference > 0] / np.maximum(allowed[difference > 0], 1e-300)
        name = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
        self.shares[name] = max(self.shares[name], *used, 0.0)

    def note_nested(self, actual, expected, rtol, atol):
        """Take in what torch.testing.assert_close compares."""
        if isinstance(actual, dict) and actual.keys() == expected.keys():
            actual, expected = list(actual.values()), [expected[n] for n in actual]
        if isinstance(actual, list | tuple):
            for a, b in zip(actual, expected, strict=False):
                self.note_nested(a, b, rtol, atol)
            return
        a, b = (torch.as_tensor(x).detach().cpu() for x in (actual, expected))
        if a.shape != b.shape or a.is_sparse:
            return  # that is not a matter of tolerance
        if rtol is None:
            rtol, atol = torch.testing._comparison.get_tolerances(
                a, b, rtol=None, atol=None
            )
        if a.numel():
            self.note(a.double(), b.double(), rtol, atol)

    def pytest_sessionstart(self):
        """Listen in on everything that compares with a tolerance."""
        assert_close = torch.testing.assert_close
        assert_allclose = np.testing.assert_allclose
        scalar = type(pytest.approx(1.0))
        equals = scalar.__eq__

        def close(actual, expected, *, rtol=None, atol=None, **options):
            self.note_nested(actual, expected, rtol, atol)
            assert_close(actual, expected, rtol=rtol, atol=atol, **options)

        def allclose(actual, desired, rtol=1e-7, atol=0, **options):
            if np.shape(actual) == np.shape(desired):
                self.note(actual, desired, rtol, atol)
            assert_allclose(actual, desired, rtol=rtol, atol=atol, **options)

        def approximately(approx, actual):
            found = equals(approx, actual)
            if found and isinstance(actual, int | float):
                self.note(actual, approx.expected, 0.0, approx.tolerance)
            return found

        torch.testing.assert_close, np.testing.assert_allclose = close, allclose
        scalar.__eq__ = approximately

    def pytest_sessionfinish(self):
        """Write them."""
        self.path.write_text(json.dumps(self.shares))


def measure(environment, arguments):
    """Run the tests one way; return their outcome and the share of each test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shares.json"
        command = [sys.executable, __file__, "--child", str(path), *arguments]
        done = subprocess.run(
            command, env={**os.environ, **environment}, cwd=ROOT, check=False
        )
        return done.returncode, json.loads(path.read_text())


def main():
    """Print a table of the tests that use most; 1 if one fails or uses too much."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--top", type=int, default=20)
    args, arguments = parser.parse_known_args()
    tables, failed = {}, False
    for way, environment in WAYS.items():
        print(f"== {way}", flush=True)
        status, tables[way] = measure(environment, arguments or NUMERIC)
        failed |= status != 0
    largest = {
        name: max(table.get(name, 0.0) for table in tables.values())
        for table in tables.values()
        for name in table
    }
    print(*(f"{way:>12}" for way in WAYS), " test")
    for name in sorted(largest, key=largest.get, reverse=True)[: args.top]:
        print(
            *(f"{table.get(name, 0.0):12.2g}" for table in tables.values()), f" {name}"
        )
    return failed or max(largest.values()) >= BOUND


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        plugin = Shares(Path(sys.argv[2]))
        sys.exit(pytest.main(["-q", *sys.argv[3:]], plugins=[plugin]))
    sys.exit(main())
