"""Stages: a training run, or a step of one, as data."""

from dataclasses import dataclass, field

from asrkit.data.features.augment import AugmentConfig
from asrkit.data.features.chunks import ChunkConfig
from asrkit.losses.criterion import LossConfig
from asrkit.models.encoder import EncoderConfig
from asrkit.training.optimizers.optim import OptimConfig
from asrkit.training.optimizers.schedule import ScheduleConfig
from asrkit.utils.ranges import check_range


def is_path(source: str) -> bool:
    """Say whether a source is a path: a checkpoint (*.pt), or one with a slash."""
    return "/" in source or source.endswith(".pt")


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

    def needs(self) -> list[str]:
        """Name the stages whose results this one takes."""
        return []


@dataclass(kw_only=True)
class TrainStageConfig(StageConfig):
    """Trains the model with one criterion.

    What is null is as in the rest of the configuration.
    """

    loss: LossConfig | None = None
    """Criterion."""
    optim: OptimConfig | None = None
    """Optimizer."""
    schedule: ScheduleConfig | None = None
    """Schedule."""
    lr_scale: float = 1.0
    """Factor on all learning rates, e.g. of a stage that goes on gently."""
    encoder: EncoderConfig | None = None
    """Acoustic network of this stage, e.g. a smaller one that only aligns."""
    augment: AugmentConfig | None = None
    """Changes to the training data."""
    num_epochs: float = 30.0
    """Length of the stage, passes over the data."""
    num_updates: int | None = None
    """Stop after so many updates instead."""
    init: InitConfig = field(default_factory=InitConfig)
    """Where the weights come from."""
    freeze: list[str] = field(default_factory=list)
    """Parameters not to train: names below the model (encoder, encoder.blocks.0) or
    patterns of them (*norm*)."""
    dropout: float | None = None
    """Dropout probability of all modules."""
    max_duration: float | None = None
    """Most seconds of audio in a batch of one process."""
    max_seconds: float | None = None
    """Training utterances longer than this are left out, seconds."""
    accumulate: int | None = None
    """Batches per process that make one update."""
    clip_norm: float | None = None
    """Largest norm of the gradient of the mean loss; 0 does not clip."""
    alignments: str | None = None
    """Stage that aligned the data, or a folder of alignments (with a slash)."""
    chunks: ChunkConfig | None = None
    """Train on pieces of this size instead of whole utterances; needs `alignments`."""
    nbest: str | None = None
    """Stage that made lists of hypotheses, or a folder of them (with a slash)."""
    select: str = "wer"
    """Scalar of validation that picks the best checkpoint (the lowest wins)."""

    def __post_init__(self) -> None:
        """Check the length and the view of the data."""
        limits = ("num_epochs", "max_duration", "max_seconds", "lr_scale")
        check_range(self, "", *limits, above=0)
        check_range(self, "", "num_updates", "accumulate", least=1)
        check_range(self, "", "clip_norm", least=0)
        check_range(self, "", "dropout", least=0, below=1)
        if self.chunks is not None and self.alignments is None:
            raise ValueError("chunks: pieces of utterances need alignments, set it")

    def needs(self) -> list[str]:
        """Name the stages whose results this one takes."""
        names = [self.init.stage, self.alignments, self.nbest]
        return [name for name in names if name and not is_path(name)]


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

    def training(self) -> list[str]:
        """Name the stages that train, in their order."""
        pairs = [(name, self.stages[name]) for name in self.order]
        return [name for name, stage in pairs if isinstance(stage, TrainStageConfig)]
