#!/usr/bin/env bash
# From nothing to a WER:
#
#   recipes/librispeech/run.sh [--corpus demo|demo_hard|mini|100|960|DIR] [OPTION ...]
#                              [key=value ...]
#
#   --corpus      demo (the default): sentences spoken by espeak-ng, nothing to download;
#                 demo_hard: spoken, too: more words and voices, rooms, noise;
#                 mini, 100, 960: (Mini) LibriSpeech; DIR: a folder whose train, dev and
#                 test are in LibriSpeech layout, Kaldi data directories, NeMo manifests,
#                 WeNet lists, Common Voice, Lhotse manifests or tables (docs/data.md)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/recipe.sh"
