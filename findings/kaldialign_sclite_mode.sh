#!/usr/bin/env bash
# How many errors kaldialign's sclite_mode counts, and how many sclite.
#
# Version: kaldialign 0.12.0 (Python 3.11), sclite 2.10 of Debian 12's package
# sctk 2.4.10-20151007-1312Z+dfsg2-3.1 (amd64).
#
# Expected (written before the first run): "Optional ``sclite_mode`` sets INS/DEL/SUB
# costs to 3/3/4 for compatibility with sclite tool", so the error rate is sclite's; of
# alignments that cost the same either may take another, with as many errors.
#
# Behaviour: three substitutions cost 12, and so do two insertions and two deletions,
# which are four errors. sclite takes the former, kaldialign the latter.
#
# Seen:
#   ref "a d d", hyp "b b a"
#   kaldialign: 4 errors, 133.3 %
#   sclite: 3 errors, 100.0 %
#   of 300 random pairs, 8 differ: 1298 errors against 1290
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet kaldialign==0.12.0
mkdir "$work/sctk"
(
    cd "$work/sctk"
    apt-get download -qq sctk=2.4.10-20151007-1312Z+dfsg2-3.1
    dpkg -x sctk_*.deb .
)

PATH="$work/sctk/usr/lib/sctk/bin:$PATH" "$work/venv/bin/python" -I - "$work" <<'PY'
import random
import re
import subprocess
import sys
from pathlib import Path

import kaldialign

folder = Path(sys.argv[1])
rng = random.Random(1)


def words():
    return [rng.choice("abcd") for _ in range(rng.randint(1, 8))]


pairs = [(list("add"), list("bba"))] + [(words(), words()) for _ in range(300)]
for name, side in (("ref", 0), ("hyp", 1)):
    lines = (f"{' '.join(pair[side])} (s-{n})\n" for n, pair in enumerate(pairs))
    (folder / name).write_text("".join(lines))
subprocess.run(
    ["sclite", "-r", "ref", "trn", "-h", "hyp", "trn", "-i", "spu_id", "-o", "pra"],
    cwd=folder, check=True, stdout=subprocess.DEVNULL,
)
found = re.findall(
    r"^id: \(s-(\d+)\)\nScores: \(#C #S #D #I\) \d+ (\d+) (\d+) (\d+)",
    (folder / "hyp.pra").read_text(), re.MULTILINE,
)
theirs = {int(n): sum(map(int, errors)) for n, *errors in found}
ours = [
    kaldialign.edit_distance(ref, hyp, sclite_mode=True)["total"] for ref, hyp in pairs
]
print('ref "a d d", hyp "b b a"')
print(f"kaldialign: {ours[0]} errors, {100 * ours[0] / 3:.1f} %")
print(f"sclite: {theirs[0]} errors, {100 * theirs[0] / 3:.1f} %")
differ = sum(ours[n] != theirs[n] for n in range(1, len(pairs)))
total = sum(ours[1:]), sum(theirs[n] for n in range(1, len(pairs)))
print(f"of 300 random pairs, {differ} differ: {total[0]} errors against {total[1]}")
assert ours[0] != theirs[0], "kaldialign counts as sclite does"
PY
