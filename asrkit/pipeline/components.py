"""The table of all components.

Adding a component: its file with a config dataclass, one line in `COMPONENTS`, one
YAML file in conf/, one test.
"""

from asrkit.data.batches.loader import DataConfig
from asrkit.data.features.augment import AugmentConfig
from asrkit.data.features.fbank import FeaturesConfig
from asrkit.decoding.beam_search import BeamSearchConfig
from asrkit.decoding.ctc_beam import CtcBeamConfig
from asrkit.decoding.ctc_greedy import CtcGreedyConfig
from asrkit.decoding.fast_beam_search import FastBeamSearchConfig
from asrkit.decoding.greedy import GreedyConfig
from asrkit.decoding.modified_beam_search import ModifiedBeamSearchConfig
from asrkit.losses.ctc import CtcLossConfig
from asrkit.losses.full import FullLossConfig
from asrkit.losses.fused import FusedLossConfig
from asrkit.losses.mbr import MbrLossConfig
from asrkit.losses.mwer import MwerLossConfig
from asrkit.losses.pruned import PrunedLossConfig
from asrkit.losses.sample_wise import SampleWiseLossConfig
from asrkit.losses.sampled import SampledLossConfig
from asrkit.losses.viterbi import ViterbiLossConfig
from asrkit.models.conformer import ConformerConfig
from asrkit.models.feed_forward_predictor import FeedForwardPredictorConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.models.lm.lstm_lm import LstmLmConfig
from asrkit.models.lm.transformer_lm import TransformerLmConfig
from asrkit.models.predictor import PredictorConfig
from asrkit.pipeline.config import Config
from asrkit.pipeline.stage import PipelineConfig
from asrkit.pipeline.stages.align import AlignStageConfig
from asrkit.pipeline.stages.average import AverageStageConfig
from asrkit.pipeline.stages.lm import LmConfig
from asrkit.pipeline.stages.nbest import NBestStageConfig
from asrkit.pipeline.stages.train import TrainStageConfig
from asrkit.text.bpe import BpeTokenizerConfig
from asrkit.text.char import CharTokenizerConfig
from asrkit.text.phone import PhoneTokenizerConfig
from asrkit.training.optimizers.muon import MuonConfig
from asrkit.training.optimizers.optim import AdamWConfig, NAdamConfig, RAdamConfig
from asrkit.training.optimizers.scaled_adam import ScaledAdamConfig
from asrkit.training.optimizers.schedule import (
    ConstantConfig,
    ConstantThenDecayConfig,
    EdenConfig,
    OneCycleConfig,
    TriangleConfig,
)
from asrkit.training.trainer import TrainerConfig
from asrkit.utils.plain import classes_of

COMPONENTS: dict[str, list[type]] = {
    "data": [DataConfig],
    "tokenizer": [BpeTokenizerConfig, CharTokenizerConfig, PhoneTokenizerConfig],
    "features": [FeaturesConfig],
    "augment": [AugmentConfig],
    "encoder": [ConformerConfig],
    "predictor": [PredictorConfig, FeedForwardPredictorConfig],
    "joiner": [JoinerConfig],
    "loss": [
        FusedLossConfig,
        FullLossConfig,
        SampleWiseLossConfig,
        PrunedLossConfig,
        SampledLossConfig,
        CtcLossConfig,
        ViterbiLossConfig,
        MbrLossConfig,
        MwerLossConfig,
    ],
    "optim": [AdamWConfig, NAdamConfig, RAdamConfig, MuonConfig, ScaledAdamConfig],
    "schedule": [
        OneCycleConfig,
        TriangleConfig,
        ConstantConfig,
        ConstantThenDecayConfig,
        EdenConfig,
    ],
    "trainer": [TrainerConfig],
    "stage": [
        TrainStageConfig,
        AlignStageConfig,
        NBestStageConfig,
        AverageStageConfig,
    ],
    "pipeline": [PipelineConfig],
    "decode": [
        GreedyConfig,
        ModifiedBeamSearchConfig,
        BeamSearchConfig,
        CtcGreedyConfig,
        CtcBeamConfig,
        FastBeamSearchConfig,
    ],
    "lm": [LmConfig, LstmLmConfig, TransformerLmConfig],
}
"""Group of conf/ -> the classes that its files may be of."""

CLASSES = classes_of([Config, *(cls for group in COMPONENTS.values() for cls in group)])
"""All config classes by name."""
