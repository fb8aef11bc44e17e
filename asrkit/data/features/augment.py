"""All augmentation in one group: of the audio, and of the features."""

from dataclasses import dataclass, field

from asrkit.data.features.spec_augment import SpecAugmentConfig
from asrkit.data.features.wave_augment import WaveAugmentConfig


@dataclass(kw_only=True)
class AugmentConfig:
    """What is done to the training data, and only to it."""

    wave: WaveAugmentConfig = field(default_factory=WaveAugmentConfig)
    """Speed perturbation and noise."""
    spec: SpecAugmentConfig = field(default_factory=SpecAugmentConfig)
    """SpecAugment."""
