#!/usr/bin/env bash
# Runs every check: scripts/test.sh [--slow] [pytest arguments]
# --slow runs the tests marked slow too; -m gpu those that need a CUDA device.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export ASRKIT_EXTRAS=dev
. scripts/env.sh

if [ "${1:-}" = "--slow" ]; then
    shift
    set -- -m "not gpu" "$@"
fi

passed=0
failed=0

# check NAME COMMAND...
check() {
    local name="$1" start=$SECONDS outcome
    shift
    echo "== $name"
    if "$@"; then
        outcome="passed"
        passed=$((passed + 1))
    else
        outcome="FAILED"
        failed=$((failed + 1))
    fi
    echo "== $name $outcome in $((SECONDS - start)) seconds"
}

check "ruff check" "$PYTHON" -m ruff check
check "ruff format" "$PYTHON" -m ruff format --check
check "mypy" "$PYTHON" -m mypy
check "import layers" "$(dirname "$PYTHON")/lint-imports"
# A process for each core, each with one thread, and a file's tests in one of them.
export OMP_NUM_THREADS=1
check "pytest" "$PYTHON" -m pytest -n auto --maxprocesses 8 --dist loadfile ${1+"$@"}

echo "checks: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
