"""What comes before the first update: tokenizer, data report, what to leave out."""

import hashlib
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lhotse import CutSet
from lhotse.cut import Cut

from asrkit.data.audio.unreadable import source_of
from asrkit.data.batches.mixture import check_weights
from asrkit.data.corpora.manifests import load_cuts, open_manifest
from asrkit.data.features.fbank import num_frames
from asrkit.data.left_out import LeftOut
from asrkit.data.report.report import DataReport, make_report
from asrkit.data.shards.shard import open_shards
from asrkit.models.encoder import EncoderConfig
from asrkit.pipeline.config import Config
from asrkit.text.load import load_tokenizer
from asrkit.text.tokenizer import TOKENS_FILE, Tokenizer
from asrkit.training.distributed import World
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


def lang_dir(config: Config) -> Path:
    """Return the tokenizer's folder: beside the manifests unless told otherwise."""
    if config.data.lang_dir is not None:
        return Path(config.data.lang_dir)
    return Path(config.data.manifests).parent / config.tokenizer.name


def feature_manifests(config: Config) -> Path:
    """Return where the manifests with stored features are: beside the others.

    The name changes with all that the features depend on.
    """
    settings = f"{config.features} {config.augment.wave.speeds}"
    digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
    return Path(config.data.manifests).parent / f"fbank_{digest}"


def ensure_tokenizer(config: Config, world: World) -> Tokenizer:
    """Load the tokenizer; train it on the training texts first if there is none."""
    folder = lang_dir(config)
    if world.is_main and not (folder / TOKENS_FILE).is_file():
        cuts = open_parts(config, Path(config.data.manifests), train_parts(config))
        texts = (s.text or "" for cut in cuts for s in cut.supervisions)
        tokenizer = config.tokenizer.train(texts)
        tokenizer.save(folder)
    world.wait()  # the others wait for the files
    tokenizer = load_tokenizer(folder)
    logger.info("tokenizer: %d tokens in %s", tokenizer.vocab_size, folder)
    return tokenizer


def train_parts(config: Config) -> list[str]:
    """Name what is trained on: sets of shards, or parts that have a manifest."""
    return config.data.shards or config.data.train


def open_part(config: Config, folder: Path, part: str) -> CutSet:
    """Open the cuts of a set of shards, or of a part by its manifest in a folder."""
    if part in config.data.shards:
        return open_shards(part).filter(is_one)
    return load_cuts(folder, part)


def examine_part(config: Config, folder: Path, part: str) -> Iterable[Cut | LeftOut]:
    """Open the cuts of a part as they are, to be reported on."""
    if part not in config.data.shards:
        return open_manifest(folder, part)
    return (one if is_one(one) else no_utterance(one) for one in open_shards(part))


def is_one(cut: Cut) -> bool:
    """Say whether a cut of a shard, whose audio stays in one piece, is an utterance."""
    return len(cut.supervisions) == 1


def no_utterance(cut: Cut) -> LeftOut:
    """Say why a cut of a shard is none."""
    reason = (
        f"{len(cut.supervisions)} supervisions in a shard, 1 is needed; "
        "scripts/shard.py writes shards of utterances"
    )
    return LeftOut(cut.id, source_of(cut), reason)


def open_parts(config: Config, folder: Path, parts: list[str]) -> CutSet:
    """Open the cuts of several parts as one set."""
    cuts = open_part(config, folder, parts[0])
    for part in parts[1:]:
        cuts = cuts + open_part(config, folder, part)
    return cuts


def report_data(
    config: Config, tokenizer: Tokenizer, trained: Sequence[Config]
) -> DataReport:
    """Look at all utterances of a run before it begins; no audio is read.

    Args:
        config: Of the run.
        tokenizer: Of its transcripts.
        trained: The configurations of the stages that train: which transcripts are
            too long depends on losses and encoders.
    """
    data = config.data
    check_weights(data.shards, data.weights)
    # A part that is trained on, too, is checked as one: then its bad utterances matter.
    parts = {"test": data.test, "dev": data.dev, "train": train_parts(config)}
    roles = {part: role for role, names in parts.items() for part in names}
    folder = Path(data.manifests)
    # CTC and monotonic paths give each label a frame of its own; CTC needs one more
    # between repeats.
    losses = [view.loss for view in trained]
    repeats = any("ctc" in loss.trained for loss in losses)
    paths = {loss.paths for loss in losses} - {Topology.REGULAR}
    limits = ["CTC"] if repeats else []
    limits += [topology.name for topology in Topology if topology in paths]
    encoders = [view.encoder for view in trained] or [config.encoder]
    coarsest = max(encoders, key=lambda encoder: encoder.subsampling)
    rate = config.features.sampling_rate
    return make_report(
        {part: examine_part(config, folder, part) for part in roles},
        roles,
        tokenizer,
        frames_of=lambda seconds: encoder_frames(seconds, rate, coarsest),
        subsampling=coarsest.subsampling,
        sampling_rate=rate,
        max_symbols_per_frame=1 if limits else None,
        repeats_need_frame=repeats,
        limited_by=" and ".join(limits),
        min_duration=data.min_seconds,
        max_duration_of_utterance=data.max_seconds,
        max_tokens_per_second=data.max_tokens_per_second,
    )


def encoder_frames(seconds: float, sampling_rate: int, encoder: EncoderConfig) -> int:
    """Return the frames that an encoder makes of so much audio."""
    samples = round(seconds * sampling_rate)
    return encoder.output_lens(num_frames(samples, sampling_rate))


@dataclass(frozen=True)
class NotIn:
    """Passes cuts whose id is not in a set; workers cannot take a lambda.

    A stored copy of another speed goes with its original.
    """

    ids: set[str]

    def __call__(self, cut: Cut) -> bool:
        """Say whether the cut passes."""
        return self.ids.isdisjoint({cut.id, re.sub(r"_sp[\d.]+$", "", cut.id)})


@dataclass(frozen=True)
class With:
    """Passes cuts whose id is in a set; workers cannot take a lambda."""

    ids: set[str]

    def __call__(self, cut: Cut) -> bool:
        """Say whether the cut passes."""
        return cut.id in self.ids


def select_cuts(config: Config, parts: list[str], left_out: set[str]) -> CutSet:
    """Open the cuts of several parts without those left out.

    Raises:
        InputError: Nothing is left.
    """
    stored = config.data.stored_features
    folder = feature_manifests(config) if stored else Path(config.data.manifests)
    if stored and not folder.is_dir():
        raise InputError(
            f"data.stored_features=true, but there is no {folder}: run "
            "scripts/compute_features.py with the same settings first"
        )
    cuts = open_parts(config, folder, parts).filter(NotIn(left_out))
    if config.data.max_utterances is not None:
        cuts = cuts.subset(first=config.data.max_utterances)
    if next(iter(cuts), None) is None:
        raise InputError(
            f"no utterance of {', '.join(parts)} in {folder} can be "
            "used; the data report says why each was left out"
        )
    return cuts
