"""Corpora that are spoken rather than downloaded."""

from pathlib import Path

from asrkit.cli.recipe.recipe import Corpus
from asrkit.data.synthesis.corpus import synthesize
from asrkit.data.synthesis.plan import Spec


def spoken(spec: Spec, experiment: str, below: str = ".") -> Corpus:
    """Describe a corpus that espeak-ng speaks.

    Args:
        spec: What it is.
        experiment: File of conf/experiment.
        below: Where in the corpus' folder the parts are.
    """

    def speak(folder: Path, jobs: int | None) -> None:
        synthesize(folder, spec, jobs=jobs)

    return Corpus(fetch=speak, experiment=experiment, below=below)
