"""pipeline=auto: the pipeline that fits data, vocabulary and model.

Frame-wise training along an alignment saves what the full sum costs. How much that is
beside the encoder can be counted: the joiner's output layer makes J multiply-adds for
each output of each cell of the lattice, the encoder about one a parameter and frame. In
runs of equal minutes stages were no better than one stage where the sum took less than
the encoder, and better where it took three times as much (docs/progressive.md).
"""

import itertools
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from asrkit.pipeline.config import Config
from asrkit.pipeline.stages.preparation import (
    encoder_frames,
    ensure_tokenizer,
    is_one,
    open_parts,
    train_parts,
)
from asrkit.pipeline.stages.sampling_rate import decide_sampling_rate
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.distributed import World
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)

AUTO = "auto"
DECISION = "pipeline.json"
ONE_STAGE, STAGES = "single", "frame_wise"
_LOOKED_AT = 1000
"""Utterances of train."""


@dataclass(frozen=True)
class StepWork:
    """Multiply-adds of a pass over some utterances."""

    encoder: float
    """Its parameters, once a frame."""
    full_sum: float
    """The joiner's output layer."""

    @property
    def choice(self) -> str:
        """The pipeline that fits."""
        return STAGES if self.full_sum > self.encoder else ONE_STAGE


def count_work(
    config: Config, tokenizer: Tokenizer, utterances: Iterable[tuple[float, str]]
) -> StepWork:
    """Count the work of utterances.

    Args:
        config: Of the run, with a sampling rate.
        tokenizer: Of its transcripts.
        utterances: Seconds and transcript of each.
    """
    model = config.model.build(config.features.num_bins, tokenizer.vocab_size)
    named = model.named_parameters()
    parameters = sum(p.numel() for name, p in named if name.startswith("encoder."))
    frames_in_all, outputs = 0, 0.0
    for seconds, text in utterances:
        rate = config.features.sampling_rate
        frames = encoder_frames(seconds, rate, config.encoder)
        labels = len(tokenizer.encode(text))
        frames_in_all += frames
        outputs += config.loss.joiner_outputs(frames, labels, tokenizer.vocab_size)
    return StepWork(float(parameters * frames_in_all), outputs * config.joiner.dim)


def decide_pipeline(config: Config, world: World) -> str:
    """Return the name of the pipeline; decided once, and kept in the run's folder.

    Args:
        config: Of the run.
        world: This process among its like.

    Raises:
        InputError: The decision of before is damaged, or there are no utterances.
    """
    path = Path(config.exp_dir) / DECISION
    # The first process alone looks: it writes the file below.
    kept = _read(path) if world.is_main and path.is_file() else None
    if (kept := world.gather(kept)[0]) is not None:
        return kept
    config = decide_sampling_rate(config)
    tokenizer = ensure_tokenizer(config, world)
    cuts = open_parts(config, Path(config.data.manifests), train_parts(config))
    some = itertools.islice(filter(is_one, cuts), _LOOKED_AT)
    work = count_work(
        config,
        tokenizer,
        ((cut.duration, cut.supervisions[0].text or "") for cut in some),
    )
    if not work.encoder:
        raise InputError(
            f"pipeline=auto: there is nothing in {', '.join(train_parts(config))} of "
            f"{config.data.manifests}"
        )
    ratio = work.full_sum / work.encoder
    logger.info(
        "pipeline=auto: %s, since the full sum makes %.2g times the encoder's products",
        work.choice,
        ratio,
    )
    if world.is_main:
        with atomic_write(path, "w") as file:
            json.dump({"pipeline": work.choice, "ratio": round(ratio, 3)}, file)
    return work.choice


def _read(path: Path) -> str:
    try:
        choice = json.loads(path.read_text(encoding="utf-8"))["pipeline"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is damaged ({error}); delete it, and the pipeline is decided anew"
        ) from error
    logger.info("pipeline=auto: %s, as decided in %s", choice, path)
    return choice
