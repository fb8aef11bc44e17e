#!/usr/bin/env bash
# How long the batches of a bucketing sampler are.
#
# Version: lhotse 1.33.0 (with torch 2.14.1, Python 3.11).
#
# Expected (written before the first run): max_duration, which the docstring calls "The
# maximum total recording duration", bounds the sum of the cuts' durations in each batch
# of several cuts. (One cut that is longer by itself must go somewhere, and lhotse warns
# of it.)
#
# Behaviour: a batch is closed when one more cut as long as its longest so far would be
# too much. Until then the next cut is taken, however long it is. If it is longer than
# those before, the batch exceeds the limit, padded or not, and nothing warns of it.
#
# Seen:
#   one batch: [10.0, 10.0, 10.0, 10.0, 10.0, 14.0], 64.0 s of at most 60.0
#   6000 cuts of 2 to 16 s, 1095 batches:
#   4 are over by the sum, of up to 61.0 s
#   75 are over padded to the longest cut, of up to 70.0 s
#
# Reported for another sampler of the same code: lhotse-speech/lhotse issue 1590 (open).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
# lhotse imports urllib3 but does not install it.
"$work/venv/bin/pip" install --quiet lhotse==1.33.0 torch==2.14.1 urllib3==2.5.0

OMP_NUM_THREADS=1 "$work/venv/bin/python" -I - "$work/cuts.jsonl" <<'PY'
import random
import sys
import warnings

from lhotse import CutSet, MonoCut
from lhotse.dataset.sampling import DynamicBucketingSampler

MAX_DURATION = 60.0


def batches(durations, bins):
    """The durations in each batch that the sampler makes of such cuts."""
    CutSet.from_cuts(
        MonoCut(id=str(i), start=0, duration=duration, channel=0)
        for i, duration in enumerate(durations)
    ).to_file(sys.argv[1])
    cuts = CutSet.from_jsonl_lazy(sys.argv[1])
    sampler = DynamicBucketingSampler(
        cuts, max_duration=MAX_DURATION, duration_bins=bins, world_size=1, rank=0
    )
    return [[cut.duration for cut in batch] for batch in sampler]


warnings.filterwarnings("error", message=".*exceeded the max_duration")
first = batches([10.0, 10.0, 10.0, 10.0, 10.0, 14.0], bins=[15.0])[0]
print(f"one batch: {first}, {sum(first)} s of at most {MAX_DURATION}")

rng = random.Random(0)
lengths = [round(rng.uniform(4, 32)) / 2 for _ in range(6000)]
many = batches(lengths, bins=[4.0, 7.0, 10.0, 13.0])
print(f"6000 cuts of 2 to 16 s, {len(many)} batches:")
sums = [sum(batch) for batch in many]
padded = [len(batch) * max(batch) for batch in many]
for what, totals in (("by the sum", sums), ("padded to the longest cut", padded)):
    over = sum(total > MAX_DURATION for total in totals)
    print(f"{over} are over {what}, of up to {max(totals)} s")
assert sum(first) > MAX_DURATION, "the batch no longer exceeds max_duration"
assert max(sums) > MAX_DURATION, "no batch of random cuts exceeds max_duration"
PY
