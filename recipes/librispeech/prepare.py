#!/usr/bin/env python3
"""What is LibriSpeech's own: its parts, where they are, which experiment fits."""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))
import find_asrkit  # noqa: F401

from asrkit.cli.main import run
from asrkit.cli.recipe import prepare
from asrkit.cli.recipe.recipe import Corpus, Recipe
from asrkit.cli.recipe.spoken import spoken
from asrkit.data.corpora.download import download, download_archive
from asrkit.data.synthesis.specs import DEMO, DEMO_HARD

OPENSLR = "https://www.openslr.org/resources"
# Part of LibriSpeech (12) or Mini LibriSpeech (31): resource, MD5 of the archive.
PARTS = {
    "dev-clean": (12, "42e2234ba48799c1f50f24a7926300a1"),
    "dev-other": (12, "c8d0bcc9cca99d4f8b62fcc847357931"),
    "test-clean": (12, "32fa31d27d2e1cad72775fee3f4849a9"),
    "test-other": (12, "fb5a50374b501bb3bac4815ee91d3135"),
    "train-clean-100": (12, "2a93770f6d5c6c964bc36631d331a522"),
    "train-clean-360": (12, "c0e676e450a7ff2f54aeade5171606fa"),
    "train-other-500": (12, "d1a0fd59409feb2c614ce4d30c387708"),
    "dev-clean-2": (31, "6d7ab67ac6a1d2c993d050e16d61080d"),
    "train-clean-5": (31, "5df7d4e78065366204ca6845bb08f490"),
}
DEV, TEST = ["dev-clean", "dev-other"], ["test-clean", "test-other"]
TRAIN = ["train-clean-100", "train-clean-360", "train-other-500"]
# Pronunciations of 200,000 words, ARPAbet with stress, 5.6 MB; without a checksum.
LEXICON = "librispeech-lexicon.txt"
# Text of 14,500 books, 800M words, 1.5 GB.
LM_TEXT, LM_TEXT_MD5 = "librispeech-lm-norm.txt.gz", "c83c64c726a1aedfe65f80aa311de402"


def librispeech(train: list[str], dev: list[str], test: list[str]) -> Corpus:
    """Describe a choice of parts."""

    def fetch(folder: Path, jobs: int | None) -> None:
        for part in dict.fromkeys([*train, *dev, *test]):
            resource, md5 = PARTS[part]
            url = f"{OPENSLR}/{resource}/{part}.tar.gz"
            download_archive(url, folder, md5=md5)

    return Corpus(
        fetch=fetch,
        below="LibriSpeech",
        train=train,
        dev=dev,
        test=test,
        lexicon=fetch_lexicon,
    )


def fetch_lexicon(folder: Path) -> Path:
    """Download LibriSpeech's lexicon, and return it."""
    download(f"{OPENSLR}/11/{LEXICON}", folder / LEXICON, md5=None)
    return folder / LEXICON


def fetch_lm_text(folder: Path) -> Path:
    """Download LibriSpeech's text for language models, and return it, packed."""
    download(f"{OPENSLR}/11/{LM_TEXT}", folder / LM_TEXT, md5=LM_TEXT_MD5)
    return folder / LM_TEXT


RECIPE = Recipe(
    name="librispeech",
    corpora={
        "demo": spoken(DEMO, "demo"),
        "demo_hard": spoken(DEMO_HARD, "demo_hard"),
        # Mini LibriSpeech has no test part of its own.
        "mini": librispeech(["train-clean-5"], ["dev-clean-2"], ["dev-clean-2"]),
        "100": librispeech(TRAIN[:1], DEV, TEST),
        "960": librispeech(TRAIN, DEV, TEST),
    },
    experiments=[(3, "tiny"), (30, "mini"), (300, "100h"), (float("inf"), "960h")],
    lm_text=fetch_lm_text,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run stages 0 and 1."""
    return prepare.prepare(RECIPE, argv)


if __name__ == "__main__":
    run(main)
