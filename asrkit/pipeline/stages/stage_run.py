"""What a stage is run with."""

import math
from dataclasses import dataclass, field
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

    train: CutSet = field(default_factory=CutSet)
    dev: CutSet = field(default_factory=CutSet)
    max_seconds: float = math.inf
    """No training utterance is longer."""


@dataclass(frozen=True)
class StageRun:
    """A stage, and all that it is run with."""

    stage: StageConfig
    config: Config
    """As this stage sees it."""
    plain: dict[str, Any]
    """What it depends on of that, as plain values, for snapshot and checkpoints."""
    folder: Path
    exp_dir: Path
    tokenizer: Tokenizer
    world: World
    corpus: Corpus = Corpus()
    """Comes when all stages have been checked."""
    memory_limit_gb: float | None = None
    """What the largest batch was planned for, GB, if it was."""
