#!/usr/bin/env bash
# From nothing to a CER on Mandarin:
#
#   recipes/aishell/run.sh [--corpus mandarin|aishell|DIR]
#                          [--stage N] [--stop-stage M] [--gpus N] [--lm NAME]
#                          [--columns OURS=THEIRS,...] [--run-commands]
#                          [key=value ...]
#
#   --corpus      mandarin (the default): sentences of 3,000 characters spoken by espeak-ng,
#                 nothing to download;
#                 aishell: AISHELL-1, 178 hours, 16 GB to download;
#                 DIR: a data_aishell/wav of yours, or any other corpus whose train, dev and
#                 test are in a layout of docs/data.md
#   --stage, --stop-stage
#                 0 download, 1 manifests, 2 features (stored if data.stored_features=true),
#                 3 tokenizer, 4 train, 5 average and language model (--lm), 6 decode,
#                 7 report; asked for by number only: 8 export to ONNX
#   --gpus N      train on N GPUs with torchrun
#   --lm NAME     train a language model, too, and decode with it: ngram, or a file of
#                 conf/lm, such as lstm or transformer
#   --columns     what tables of DIR call their columns, e.g. audio=clip,text=words
#   --run-commands
#                 run the commands that stand in wav.scp; look them over before
#   key=value     any setting, e.g. loss=ctc optim.lr=1e-3 exp_dir=exp/mine;
#                 pipeline=progressive trains in stages (docs/progressive.md)
#
# What is done is not done again: to go on after an interruption, run the same command.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/recipe.sh"
