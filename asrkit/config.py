"""The table of all components, and configurations as text.

Adding a component: its file with a config dataclass, one line in `COMPONENTS`, one
YAML file in conf/, one test.
"""

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

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
from asrkit.pipeline.lm_config import LmConfig
from asrkit.pipeline.old_configs import update_saved
from asrkit.pipeline.stage import PipelineConfig, TrainStageConfig
from asrkit.pipeline.stages.align import AlignStageConfig
from asrkit.pipeline.stages.average import AverageStageConfig
from asrkit.pipeline.stages.nbest import NBestStageConfig
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
from asrkit.utils.errors import InputError

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

_CLASS = "class"  # the key under which text holds a dataclass's name


def register() -> None:
    """Tell Hydra the schema: class FooConfig is `base_foo` in its group."""
    OmegaConf.register_new_resolver("share", _share, replace=True)
    store = ConfigStore.instance()
    store.store(name="base_config", node=Config)
    for group, classes in COMPONENTS.items():
        for cls in classes:
            store.store(group=group, name=schema_name(cls), node=cls)


def _share(length: float | None, share: float) -> float | None:
    """Return a part of a length, ${share:LENGTH,SHARE}; updates stay whole numbers."""
    if length is None:
        return None
    return max(1, round(length * share)) if isinstance(length, int) else length * share


def schema_name(cls: type) -> str:
    """Return the name of a config class in YAML, e.g. base_one_cycle."""
    stem = cls.__name__.removesuffix("Config")
    words = "".join(f"_{c.lower()}" if c.isupper() else c for c in stem)
    return f"base{words}"


def to_plain(config: Any) -> Any:
    """Turn config objects into dicts, lists and plain values; classes by their name."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        fields = dataclasses.fields(config)
        values = {f.name: to_plain(getattr(config, f.name)) for f in fields}
        return {_CLASS: type(config).__name__, **values}
    if isinstance(config, Mapping):
        return {key: to_plain(value) for key, value in config.items()}
    if isinstance(config, Enum):
        return config.name
    if isinstance(config, list):
        return [to_plain(value) for value in config]
    return config


def from_plain(plain: Any) -> Any:
    """Undo `to_plain`.

    Raises:
        InputError: A class or key is unknown, or a value does not fit.
    """
    if not isinstance(plain, Mapping):
        return plain
    plain = update_saved(plain)
    values = {key: from_plain(value) for key, value in plain.items() if key != _CLASS}
    if _CLASS not in plain:
        return values
    cls = classes().get(plain[_CLASS])
    if cls is None:
        raise InputError(
            f"the configuration names {plain[_CLASS]!r}, which this version of asrkit "
            "does not have"
        )
    try:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cls), values))
    except OmegaConfBaseException as error:
        raise InputError(f"configuration of {plain[_CLASS]}: {error}") from error


def classes() -> dict[str, type]:
    """Return all config classes by name."""
    from asrkit.data.features.chunks import ChunkConfig
    from asrkit.data.features.spec_augment import SpecAugmentConfig
    from asrkit.data.features.wave_augment import WaveAugmentConfig
    from asrkit.decoding.fusion.fusion import FusionConfig
    from asrkit.pipeline.stage import InitConfig

    listed = [cls for classes in COMPONENTS.values() for cls in classes]
    nested = [Config, SpecAugmentConfig, WaveAugmentConfig, InitConfig, FusionConfig]
    nested += [ChunkConfig]
    return {cls.__name__: cls for cls in [*listed, *nested]}
