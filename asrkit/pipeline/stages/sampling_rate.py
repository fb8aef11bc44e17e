"""features.sampling_rate=auto: decided by what is trained on."""

import logging
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

from asrkit.data.features.fbank import AUTO
from asrkit.pipeline.config import Config
from asrkit.pipeline.stages.preparation import open_part, train_parts

logger = logging.getLogger(__name__)

_TELEPHONE, _OTHER = 8000, 16000
_MOST = 2000
"""Utterances of each part that are looked at."""


def decide_sampling_rate(config: Config) -> Config:
    """Return the configuration with a number for features.sampling_rate.

    Telephone speech, of 8000 Hz, has nothing above 4000 Hz: where most of what is
    trained on is that, features are computed at 8000 Hz, else at 16000.

    Raises:
        InputError: A part that is trained on has no manifest.
    """
    if config.features.sampling_rate != AUTO:
        return config
    folder = Path(config.data.manifests)
    rates = Counter(
        cut.sampling_rate
        for part in train_parts(config)
        for cut in islice(open_part(config, folder, part), _MOST)
    )
    telephone = rates[_TELEPHONE] > rates.total() / 2
    rate = _TELEPHONE if telephone else _OTHER
    logger.info("features.sampling_rate=auto: %d Hz", rate)
    return replace(config, features=replace(config.features, sampling_rate=rate))
