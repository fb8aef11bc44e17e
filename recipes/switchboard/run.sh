#!/usr/bin/env bash
# Telephone speech, from nothing to a WER as NIST counts it:
#
#   recipes/switchboard/run.sh [--corpus dialogues|DIR] [OPTION ...] [key=value ...]
#
#   --corpus      dialogues (the default): calls spoken by espeak-ng, nothing to buy or to
#                 download, laid out like the LDC's discs;
#                 DIR: a folder that holds, as they were bought or as links to them,
#                 LDC97S62 (Switchboard) with MS-State's transcripts, LDC2002S09 and
#                 LDC2002T43 (Hub5'00), and if there LDC2004T19 and LDC2005T19 (Fisher's
#                 text, for language models: lm.text=[data/DIR/manifests/fisher.txt.gz])
#   experiment=switchboard_phone tokenizer=phone
#                 phones, in stages
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/recipe.sh"
