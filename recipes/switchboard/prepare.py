#!/usr/bin/env python3
"""What is Switchboard's own: where its files are, what becomes of its transcripts."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))
import find_asrkit  # noqa: F401

from asrkit.cli.main import run
from asrkit.cli.recipe import prepare
from asrkit.cli.recipe.recipe import Corpus, Recipe
from asrkit.data.corpora.telephone.references import write_references
from asrkit.data.corpora.telephone.switchboard import find_parts
from asrkit.data.corpora.telephone.text import TRAINING
from asrkit.data.synthesis.telephone.corpus import synthesize_dialogues
from asrkit.data.synthesis.telephone.specs import DIALOGUES

# What makes words of MS-State's transcripts; WITH_MARKS in place of TRAINING keeps
# [NOISE], [LAUGHTER], [VOCALIZED-NOISE] and fragments (TEA-) as words.
RULES = TRAINING


def speak(folder: Path, jobs: int | None) -> None:
    """Have espeak-ng speak the calls, unless they are there."""
    synthesize_dialogues(folder, DIALOGUES, jobs=jobs)


RECIPE = Recipe(
    name="switchboard",
    corpora={"dialogues": Corpus(fetch=speak, experiment="dialogues")},
    layout="the layout of the LDC's discs, one or several below it",
    find_sources=partial(find_parts, rules=RULES),
    beside=write_references,
    experiments=[(3, "dialogues"), (float("inf"), "switchboard")],
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run stages 0 and 1."""
    return prepare.prepare(RECIPE, argv)


if __name__ == "__main__":
    run(main)
