"""Augmentation of the audio: speed perturbation and noise mixing."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from lhotse import CutSet
from lhotse.dataset.cut_transforms import CutMix, PerturbSpeed

from asrkit.data.corpora.noise import load_noise
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class WaveAugmentConfig:
    """Augmentation of the audio, in the workers."""

    speeds: list[float] = field(default_factory=lambda: [0.9, 1.0, 1.1])
    """Speed factors, drawn per utterance; [1.0] leaves the speed alone."""
    noise_dir: str | None = None
    """Folder of recordings to mix in, e.g. MUSAN; null mixes nothing."""
    noise_snr: list[float] = field(default_factory=lambda: [10.0, 20.0])
    """Range of the signal-to-noise ratio, dB."""
    noise_probability: float = 0.5
    """Share of utterances that get noise."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "augment.wave", "speeds", above=0)
        check_range(self, "augment.wave", "noise_probability", least=0, most=1)

    def build(self) -> "WaveAugment":
        """Make the augmentation; reads the headers of the noise recordings."""
        noise = None if self.noise_dir is None else load_noise(Path(self.noise_dir))
        return WaveAugment(
            speeds=self.speeds,
            noise=noise,
            noise_snr=(self.noise_snr[0], self.noise_snr[1]),
            noise_probability=self.noise_probability,
        )


@dataclass
class WaveAugment:
    """Speed perturbation (Ko et al., 2015) and noise mixing; see the config."""

    speeds: list[float]
    noise: CutSet | None
    noise_snr: tuple[float, float]
    noise_probability: float

    def __call__(self, cuts: CutSet, seed: int) -> CutSet:
        """Augment cuts; the same seed gives the same result."""
        rng = random.Random(seed)
        if self.speeds != [1.0]:
            perturb = PerturbSpeed(self.speeds, p=1.0, randgen=rng, preserve_id=True)
            cuts = perturb(cuts)
        if self.noise is not None:
            mix = CutMix(
                self.noise,
                snr=self.noise_snr,
                p=self.noise_probability,
                pad_to_longest=False,
                preserve_id=True,
                seed=rng,
                random_mix_offset=True,
            )
            cuts = mix(cuts)
        return cuts
