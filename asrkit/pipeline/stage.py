"""Stages: a training run, or a step of one, as data."""

from dataclasses import dataclass, field

from asrkit.losses.criterion import LossConfig
from asrkit.training.optim import OptimConfig
from asrkit.training.schedule import ScheduleConfig


@dataclass(kw_only=True)
class InitConfig:
    """Where the weights come from; nothing given means a random start."""

    stage: str | None = None
    """An earlier stage of the same pipeline."""
    path: str | None = None
    """A checkpoint of another run."""
    modules: list[str] = field(default_factory=lambda: ["encoder"])
    """Parts of the model to take: encoder, predictor, joiner, ctc_head."""

    def __post_init__(self) -> None:
        """Refuse two origins."""
        if self.stage and self.path:
            raise ValueError("init: give stage or path, not both")


@dataclass(kw_only=True)
class StageConfig:
    """Base class of the kinds of stage."""


@dataclass(kw_only=True)
class TrainStageConfig(StageConfig):
    """Trains the model with one criterion."""

    loss: LossConfig
    """Criterion; the group `loss` unless the stage says otherwise."""
    optim: OptimConfig
    """Optimizer; the group `optim` unless the stage says otherwise."""
    schedule: ScheduleConfig
    """Schedule; the group `schedule` unless the stage says otherwise."""
    num_epochs: float = 30.0
    """Length of the stage, passes over the data."""
    num_updates: int | None = None
    """Stop after so many updates instead."""
    init: InitConfig = field(default_factory=InitConfig)
    """Where the weights come from."""
    freeze: list[str] = field(default_factory=list)
    """Parts of the model not to train."""
    select: str = "wer"
    """Scalar of validation that picks the best checkpoint (the lowest wins)."""

    def __post_init__(self) -> None:
        """Check the length."""
        if self.num_epochs <= 0:
            raise ValueError(f"num_epochs must be positive, got {self.num_epochs}")


@dataclass(kw_only=True)
class PipelineConfig:
    """Stages and their order."""

    stages: dict[str, StageConfig] = field(default_factory=dict)
    """By name; a stage's folder is exp_dir/NAME."""
    order: list[str] = field(default_factory=list)
    """Names of the stages to run, the first first."""

    def __post_init__(self) -> None:
        """Check the order against the stages."""
        for name in self.order:
            if name not in self.stages:
                raise ValueError(
                    f"pipeline.order names {name!r}, but pipeline.stages has "
                    f"{', '.join(self.stages) or 'none'}"
                )
        if not self.order:
            raise ValueError("pipeline.order is empty: name at least one stage")
