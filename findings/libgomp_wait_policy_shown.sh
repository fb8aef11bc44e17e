#!/usr/bin/env bash
# What OMP_DISPLAY_ENV says of a wait policy that nobody set.
#
# Version: the libgomp that the torch 2.14.1 wheel brings (Python 3.11, Linux, x86-64).
#
# Expected (written before the first run): two runs whose OMP_DISPLAY_ENV shows the same
# OMP_WAIT_POLICY wait alike. As the manual says that threads spin for a while if the
# variable is not set, and sleep at once if it is PASSIVE, the two look different.
#
# Behaviour: both are shown as PASSIVE. Only OMP_DISPLAY_ENV=verbose tells them apart,
# by GOMP_SPINCOUNT; with OMP_DISPLAY_ENV=true, which leaves that line out, nothing
# does.
#
# Seen:
#   not set: GOMP_SPINCOUNT = '300000' OMP_WAIT_POLICY = 'PASSIVE'
#   PASSIVE: GOMP_SPINCOUNT = '0' OMP_WAIT_POLICY = 'PASSIVE'
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.14.1

# What libgomp shows of waiting, with the environment given.
shown() {
    env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT OMP_NUM_THREADS=1 OMP_DISPLAY_ENV=verbose \
        "$@" "$work/venv/bin/python" -I -c "import torch" 2>&1 |
        grep -oE "(OMP_WAIT_POLICY|GOMP_SPINCOUNT) = '[^']*'" | sort | paste -sd ' '
}

unset_shown=$(shown)
passive_shown=$(shown OMP_WAIT_POLICY=PASSIVE)
echo "not set: $unset_shown"
echo "PASSIVE: $passive_shown"

[ "$unset_shown" = "GOMP_SPINCOUNT = '300000' OMP_WAIT_POLICY = 'PASSIVE'" ]
[ "$passive_shown" = "GOMP_SPINCOUNT = '0' OMP_WAIT_POLICY = 'PASSIVE'" ]
