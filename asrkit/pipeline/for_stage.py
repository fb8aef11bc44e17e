"""The configuration as one stage sees it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from asrkit.pipeline.config import Config
from asrkit.pipeline.snapshot import flatten
from asrkit.pipeline.stage import PipelineConfig
from asrkit.utils.errors import InputError
from asrkit.utils.plain import change

SHARED = (
    "exp_dir",
    "pipeline",
    "lm",
    "tokenizer",
    "features",
    "trainer.device",
    "data.manifests",
    "data.lang_dir",
    "data.train",
    "data.shards",
    "data.dev",
    "data.test",
    "data.stored_features",
    "data.min_seconds",
    "data.max_tokens_per_second",
    "data.max_utterances",
)
"""What all stages of a run have in common: it is prepared once, before the first."""

_UNIT = "decode.unit"
"""What errors are counted in: the run's, also by a search that a stage chooses."""


def for_stage(config: Config, name: str) -> Config:
    """Return what a run of this stage alone would have as its configuration.

    It is what the stage's checkpoints carry and what a later start is compared with,
    so that a change of one stage is none of the others.

    Raises:
        InputError: What the stage sets is not a key of the run, does not fit there, or
            belongs to all stages.
    """
    stage = config.pipeline.stages[name]
    where = f"pipeline.stages.{name}.set"
    check_own(stage.set, where)
    own = change(config, stage.set, where)
    own = replace(own, decode=replace(own.decode, unit=config.decode.unit))
    alone = PipelineConfig(stages={name: replace(stage, set={})}, order=[name])
    return stage.view(replace(own, pipeline=alone))


def check_own(delta: Mapping[str, Any], where: str) -> None:
    """Raise InputError if a stage sets what belongs to all stages."""
    for key in flatten(delta):
        for shared in (*SHARED, _UNIT):
            inside = f"{key}.".startswith(f"{shared}.")
            # A search as a whole may be another one; it counts as the run's.
            around = shared != _UNIT and shared.startswith(f"{key}.")
            if inside or around:
                raise InputError(
                    f"{where}.{key}: {shared} is the same in all stages of a run; set "
                    "it there"
                )
