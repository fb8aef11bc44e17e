"""What a corpus asks for in training: parts, experiment, folders."""

import logging
from collections.abc import Sequence
from pathlib import Path

from asrkit.cli.recipe.recipe import Recipe
from asrkit.data.corpora.manifests import list_parts, load_cuts
from asrkit.data.corpora.parts import KINDS, kind_of
from asrkit.utils.errors import InputError


def choose_settings(recipe: Recipe, name: str, work_dir: Path) -> list[str]:
    """Return the settings, each key=value; what they are chosen by goes to the log.

    Args:
        recipe: The corpus's.
        name: What --corpus says.
        work_dir: Holds the manifests.

    Raises:
        InputError: There is nothing to train on, or no part to test with.
    """
    manifests, corpus = work_dir / "manifests", recipe.corpora.get(name)
    if corpus is not None and corpus.train:
        train, dev, test = corpus.train, corpus.dev, corpus.test
    else:
        train, dev, test = find_sets(manifests)
    experiment = corpus.experiment if corpus is not None else ""
    if not experiment and recipe.experiments:
        experiment = choose_experiment(recipe.experiments, manifests, train)
    return [
        *([f"experiment={experiment}"] if experiment else []),
        f"data.manifests={manifests}",
        f"data.train=[{','.join(train)}]",
        f"data.dev=[{','.join(dev)}]",
        f"data.test=[{','.join(test)}]",
        f"exp_dir=exp/{work_dir.name}",
    ]


def find_sets(manifests: Path) -> tuple[list[str], list[str], list[str]]:
    """Sort the parts of a folder by what their names tell of.

    Raises:
        InputError: There is nothing to train on, or no part to test with.
    """
    parts = list_parts(manifests)
    train, dev, test = ([p for p in parts if kind_of(p) == kind] for kind in KINDS)
    if not train or not (dev or test):
        raise InputError(
            f"{manifests} needs a part whose name tells of train, and one of dev or "
            f"test; it has {', '.join(parts) or 'none'}: run stage 1 (prepare.py) first"
        )
    return train, dev or test, test or dev


def choose_experiment(
    experiments: Sequence[tuple[float, str]], manifests: Path, train: Sequence[str]
) -> str:
    """Choose by the hours of training audio; kept, since counting takes a while."""
    kept = manifests / ".experiment"
    newest = max(p.stat().st_mtime for p in manifests.glob("*.jsonl.gz"))
    if kept.is_file() and kept.stat().st_mtime > newest:
        return kept.read_text(encoding="utf-8").strip()
    hours = sum(c.duration for part in train for c in load_cuts(manifests, part)) / 3600
    experiment = next(name for limit, name in experiments if hours < limit)
    logging.info("%.1f hours to train on: experiment=%s", hours, experiment)
    kept.write_text(experiment + "\n", encoding="utf-8")
    return experiment
