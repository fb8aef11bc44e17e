"""What a stage is run with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lhotse import CutSet

from asrkit.pipeline.config import Config
from asrkit.pipeline.stage import StageConfig
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.distributed import World


@dataclass(frozen=True)
class Corpus:
    """The utterances of a run, without those that are left out."""

    train: CutSet
    dev: CutSet


@dataclass(frozen=True)
class StageRun:
    """A stage, and all that it is run with."""

    stage: StageConfig
    config: Config
    """As this stage sees it."""
    plain: dict[str, Any]
    """The same as plain values, for checkpoints."""
    folder: Path
    exp_dir: Path
    tokenizer: Tokenizer
    corpus: Corpus
    world: World
    memory_limit_gb: float | None = None
    """What the largest batch was planned for, GB, if it was."""
