#!/usr/bin/env bash
# From nothing to a WER:
#
#   recipes/librispeech/run.sh [--corpus demo|demo_hard|mini|100|960|DIR]
#                              [--stage N] [--stop-stage M] [--gpus N] [--lm NAME]
#                              [--columns OURS=THEIRS,...] [--run-commands]
#                              [key=value ...]
#
#   --corpus      demo (the default): sentences spoken by espeak-ng, nothing to download;
#                 demo_hard: spoken, too: more words and voices, rooms, noise;
#                 mini, 100, 960: (Mini) LibriSpeech; DIR: a folder whose train, dev and
#                 test are in LibriSpeech layout, Kaldi data directories, NeMo manifests,
#                 WeNet lists, Common Voice, Lhotse manifests or tables (docs/data.md)
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
