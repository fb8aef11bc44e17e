#!/usr/bin/env bash
# Telephone speech, from nothing to a WER as NIST counts it:
#
#   recipes/switchboard/run.sh [--corpus dialogues|DIR]
#                              [--stage N] [--stop-stage M] [--gpus N] [--lm NAME]
#                              [key=value ...]
#
#   --corpus      dialogues (the default): calls spoken by espeak-ng, nothing to buy or to
#                 download, laid out like the LDC's discs;
#                 DIR: a folder that holds, as they were bought or as links to them,
#                 LDC97S62 (Switchboard) with MS-State's transcripts, LDC2002S09 and
#                 LDC2002T43 (Hub5'00), and if there LDC2004T19 and LDC2005T19 (Fisher's
#                 text)
#   --stage, --stop-stage
#                 0 speak the calls, 1 manifests and references, 2 features (stored if
#                 data.stored_features=true), 3 tokenizer, 4 train, 5 average and language
#                 model (--lm), 6 decode, 7 report, with stm and glm; asked for by number
#                 only: 8 export to ONNX
#   --gpus N      train on N GPUs with torchrun
#   --lm NAME     train a language model, too, and decode with it: ngram, or a file of
#                 conf/lm, such as lstm or transformer; of Fisher's text as well with
#                 lm.text=[data/DIR/manifests/fisher.txt.gz]
#   key=value     any setting, e.g. loss=ctc optim.lr=1e-3 exp_dir=exp/mine;
#                 experiment=switchboard_phone tokenizer=phone trains in stages
#
# What is done is not done again: to go on after an interruption, run the same command.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/recipe.sh"
