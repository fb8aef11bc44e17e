"""The configuration as one stage sees it."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from asrkit.data.features.augment import AugmentConfig
from asrkit.pipeline.config import Config
from asrkit.pipeline.stage import PipelineConfig, TrainStageConfig, is_path

Value = TypeVar("Value")

ALIGNMENTS = "alignments"
NBEST = "nbest"


def for_stage(config: Config, name: str) -> Config:
    """Return what a run of this stage alone would have as its configuration.

    It is what the stage's checkpoints carry and what a later start is compared with,
    so that a change of one stage is none of the others.
    """
    stage = config.pipeline.stages[name]
    config = replace(
        config, pipeline=PipelineConfig(stages={name: stage}, order=[name])
    )
    if not isinstance(stage, TrainStageConfig):
        return config
    data = replace(
        config.data,
        max_duration=_first(stage.max_duration, config.data.max_duration),
        max_seconds=_first(stage.max_seconds, config.data.max_seconds),
    )
    trainer = replace(
        config.trainer,
        accumulate=_first(stage.accumulate, config.trainer.accumulate),
        clip_norm=_first(stage.clip_norm, config.trainer.clip_norm),
    )
    augment = stage.augment or config.augment
    if stage.alignments is not None:
        augment = without_warping(augment, config.data.stored_features)
    return replace(
        config,
        data=data,
        trainer=trainer,
        augment=augment,
        encoder=stage.encoder or config.encoder,
        loss=stage.loss or config.loss,
        optim=stage.optim or config.optim,
        schedule=stage.schedule or config.schedule,
        num_epochs=stage.num_epochs,
        num_updates=stage.num_updates,
    )


def without_warping(augment: AugmentConfig, stored_features: bool) -> AugmentConfig:
    """Return an augmentation that leaves the time axis as it was aligned.

    Stored copies of other speeds have alignments of their own.
    """
    wave = augment.wave if stored_features else replace(augment.wave, speeds=[1.0])
    return replace(augment, wave=wave, spec=replace(augment.spec, time_warp=0))


def result_folder(exp_dir: Path, source: str, kind: str) -> Path:
    """Return where a stage's results of a kind are, or a folder given by its path."""
    return Path(source) if is_path(source) else exp_dir / source / kind


def _first(own: Value | None, other: Value) -> Value:
    return other if own is None else own
