#!/usr/bin/env bash
# From nothing to a CER on Mandarin:
#
#   recipes/aishell/run.sh [--corpus mandarin|aishell|DIR] [OPTION ...] [key=value ...]
#
#   --corpus      mandarin (the default): sentences of 3,000 characters spoken by espeak-ng,
#                 nothing to download;
#                 aishell: AISHELL-1, 178 hours, 16 GB to download;
#                 DIR: a data_aishell/wav of yours, or any other corpus whose train, dev and
#                 test are in a layout of docs/data.md
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/recipe.sh"
