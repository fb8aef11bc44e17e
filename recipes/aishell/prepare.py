#!/usr/bin/env python3
"""What is AISHELL-1's own: its archives, and archives in them."""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))
import find_asrkit  # noqa: F401

from asrkit.cli.main import run
from asrkit.cli.recipe import prepare
from asrkit.cli.recipe.recipe import Corpus, Recipe
from asrkit.cli.recipe.spoken import spoken
from asrkit.data.corpora.download import download_archive, extract
from asrkit.data.synthesis.specs import MANDARIN

OPENSLR = "https://www.openslr.org/resources/33"
# MD5 of the archives: 15.6 GB of speech; a lexicon, and which speaker is a woman.
ARCHIVES = {
    "data_aishell.tgz": "2f494334227864a8a8fec932999db9d8",
    "resource_aishell.tgz": "957d480a0fcac85fc18e550756f624e5",
}
BELOW = "data_aishell/wav"


def fetch(folder: Path, jobs: int | None) -> None:
    """Download AISHELL-1 and unpack it, then the archive that each speaker has."""
    for name, md5 in ARCHIVES.items():
        download_archive(f"{OPENSLR}/{name}", folder, md5=md5)
    for archive in sorted((folder / BELOW).glob("*.tar.gz")):
        extract(archive, folder / BELOW)
        archive.unlink()


RECIPE = Recipe(
    name="aishell",
    corpora={
        "mandarin": spoken(MANDARIN, "mandarin", below=BELOW),
        "aishell": Corpus(fetch=fetch, below=BELOW),
    },
    layout="AISHELL-1's layout (data_aishell/wav), or any other that prepare.py reads",
    experiments=[(10, "mandarin"), (float("inf"), "aishell")],
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run stages 0 and 1."""
    return prepare.prepare(RECIPE, argv)


if __name__ == "__main__":
    run(main)
