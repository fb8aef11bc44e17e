"""`scripts/compute_features.py key=value ...`: stage 2 of a recipe."""

import logging
from pathlib import Path

from asrkit.cli.compose import run_with_config
from asrkit.cli.logs import start_logging
from asrkit.data.batches.stored_features import store_features
from asrkit.pipeline.config import Config
from asrkit.pipeline.stages.preparation import feature_manifests
from asrkit.pipeline.stages.sampling_rate import decide_sampling_rate
from asrkit.training.distributed import choose_device

logger = logging.getLogger(__name__)


def main() -> int:
    """Compute and store the features of all parts, unless they are there."""
    return run_with_config(compute)


def compute(config: Config) -> None:
    """Compute and store the features of all parts, unless they are there."""
    start_logging(None, "features")
    data = config.data
    if not data.stored_features:
        logger.info("data.stored_features is false: computed in training instead")
        return
    config = decide_sampling_rate(config)
    folder = feature_manifests(config)
    for part in dict.fromkeys([*data.train, *data.dev, *data.test]):
        store_features(
            Path(data.manifests),
            part,
            folder,
            config.features.build(),
            speeds=config.augment.wave.speeds if part in data.train else [1.0],
            max_duration=data.batch_seconds,
            device=choose_device(config.trainer.device),
        )
    logger.info("features and their manifests: %s", folder)
