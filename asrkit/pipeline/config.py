"""The whole configuration of a run, as plain typed objects."""

from dataclasses import dataclass

from asrkit.data.batches.loader import DataConfig
from asrkit.data.features.augment import AugmentConfig
from asrkit.data.features.fbank import FeaturesConfig
from asrkit.decoding.search import SearchConfig
from asrkit.losses.criterion import LossConfig
from asrkit.models.asr_model import ModelConfig
from asrkit.models.encoder import EncoderConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.models.predictor import PredictorConfig
from asrkit.pipeline.stage import PipelineConfig, StageConfig
from asrkit.text.tokenizer import TokenizerConfig
from asrkit.training.optimizers.optim import OptimConfig
from asrkit.training.optimizers.schedule import ScheduleConfig
from asrkit.training.trainer import TrainerConfig
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class Config:
    """One field a group of conf/."""

    data: DataConfig
    """Utterances and batches."""
    tokenizer: TokenizerConfig
    """Text to tokens."""
    features: FeaturesConfig
    """Audio to features."""
    augment: AugmentConfig
    """Changes to the training data."""
    encoder: EncoderConfig
    """Acoustic network."""
    predictor: PredictorConfig
    """Label network."""
    joiner: JoinerConfig
    """Joins the two."""
    loss: LossConfig
    """Training criterion."""
    optim: OptimConfig
    """Optimizer."""
    schedule: ScheduleConfig
    """Learning rate over time."""
    trainer: TrainerConfig
    """How to train."""
    pipeline: PipelineConfig
    """Which stages."""
    decode: SearchConfig
    """Search for validation and for decoding."""
    lm: StageConfig | None = None
    """Language model: the stage that scripts/train_lm.py runs."""
    exp_dir: str = "exp/default"
    """Folder of the run."""
    num_epochs: float = 30.0
    """Length of the main training stage, passes over the data."""
    num_updates: int | None = None
    """Stop the main training stage after so many updates instead."""
    seed: int = 42
    """Of initialisation, data order, augmentation and dropout."""

    def __post_init__(self) -> None:
        """Check what has to fit; name the error rate that stages go by."""
        check_range(self, "", "num_epochs", above=0)
        check_range(self, "", "num_updates", least=1)
        check_range(self, "", "seed", least=0)
        self.loss.check_durations(self.joiner.durations)
        self.pipeline = self.pipeline.selecting(self.decode.unit.scalar)

    @property
    def model(self) -> ModelConfig:
        """The parts of the recognizer."""
        return ModelConfig(
            encoder=self.encoder, predictor=self.predictor, joiner=self.joiner
        )
