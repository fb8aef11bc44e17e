"""What a part of a corpus is for, told by its name."""

import re
from pathlib import Path

KINDS = ("train", "dev", "test")
"""What a part is for."""
_WORDS = {
    "dev": {"dev", "devel", "development", "devset", "valid", "validation", "val"},
    "train": {"train", "training", "trainset", "tr"},
    "test": {"test", "testing", "testset", "eval", "evaluation"},
}
"""dev comes first: Kaldi's train_dev and test_dev93 are to choose checkpoints by."""


def kind_of(part: str) -> str | None:
    """Return the one of `KINDS` that a part's name tells of, None if it tells of none.

    A word of the name decides, as in `swbd_train`, `valid` or `eval2000`; without one
    that is known, what the name begins with, as in `trainclean`.
    """
    words = set(re.findall(r"[^\W\d_]+", part.lower()))
    for kind, known in _WORDS.items():
        if words & known:
            return kind
    return next((kind for kind in KINDS if part.lower().startswith(kind)), None)


def part_order(part: str) -> tuple[int, str]:
    """Sort parts: those for training first, those for testing last."""
    kind = kind_of(part)
    return (len(KINDS) if kind is None else KINDS.index(kind), part)


_MANIFEST = re.compile(
    r"(?P<before>.*?)[_.-]?\b(?:cuts|recordings|supervisions|manifest)[_.-]?\b(?P<after>.*)"
)


def part_name(path: Path) -> str:
    """Name a part by its file or folder.

    What others put around the name goes: `cv-en_cuts_train.jsonl.gz` and
    `train_manifest.json` are both of part train.
    """
    name = path.name if path.is_dir() else re.sub(r"(\.[A-Za-z]\w*)+$", "", path.name)
    if match := _MANIFEST.fullmatch(name.replace("_", " ")):
        # \b sees no edge beside an underscore.
        before, after = (match[side].strip().replace(" ", "_") for side in (1, 2))
        name = before if kind_of(before) and not kind_of(after) else after or before
    return re.sub(r"[^\w.+-]+", "-", name) or path.name
