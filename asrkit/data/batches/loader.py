"""From manifests to batches: which utterances, and how they are read."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from asrkit.data.batches.batch import Batch
from asrkit.data.batches.cuts import PlannedBatch
from asrkit.data.batches.plan import Position
from asrkit.data.batches.workers import Reader, read_batches
from asrkit.data.batches.workers import start_worker as start_worker
from asrkit.data.features.wave_augment import WaveAugment
from asrkit.data.left_out import LeftOutList
from asrkit.text.tokenizer import Tokenizer
from asrkit.utils.errors import InputError
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class DataConfig:
    """Which utterances to train and test on, and how they become batches."""

    manifests: str = "data/demo/manifests"
    """Folder of the manifests (CORPUS_cuts_PART.jsonl.gz)."""
    lang_dir: str | None = None
    """Folder of the tokenizer; null: lang_* beside the manifests' folder."""
    train: list[str] = field(default_factory=lambda: ["train"])
    """Parts to train on."""
    shards: list[str] = field(default_factory=list)
    """Folders or URLs of shards (scripts/shard.py) to train on instead of parts."""
    weights: list[float] = field(default_factory=list)
    """How often an epoch goes over each of `shards`; empty: once."""
    shard_block: int = 8
    """Shards whose utterances are shuffled together."""
    dev: list[str] = field(default_factory=lambda: ["dev"])
    """Parts to validate on."""
    test: list[str] = field(default_factory=lambda: ["test"])
    """Parts to decode at the end."""
    max_duration: Any = 600.0  # OmegaConf takes no float | str in nested configs
    """Most seconds of audio in a batch of one process; auto: what memory allows, found
    by real forward and backward passes before the first update."""
    memory_gb: float | None = None
    """What max_duration=auto may use, GB: of the GPU, or on a CPU all that the training
    process holds; null: what is free."""
    max_cuts: int | None = None
    """Most utterances in a batch of one process."""
    num_buckets: int = 30
    """Groups of like duration that batches are drawn from."""
    num_workers: int = 4
    """Processes that read audio; 0 reads in the training process."""
    prefetch: int = 4
    """Batches that each worker holds ready."""
    stored_features: bool = False
    """Read features from disk (stage 2 of the recipe) instead of audio."""
    min_seconds: float = 0.0
    """Training utterances shorter than this are left out, seconds."""
    max_seconds: float = 30.0
    """Training utterances longer than this are left out, seconds."""
    max_tokens_per_second: float | None = 60.0
    """Training utterances with more tokens are left out: a transcript that is not the
    recording's would make the lattice huge. null: no limit."""
    max_utterances: int | None = None
    """Use the first so many utterances of each set only, e.g. to overfit on purpose."""
    max_test_seconds: float = 300.0
    """Test utterances longer than this are not decoded, seconds: they are listed, and
    all their words count as deleted."""
    read_timeout: float = 60.0
    """Longest that reading one utterance may take, seconds: then it is left out and the
    workers are started anew. 0: no limit; without workers there is none either."""
    max_left_out: float = 0.01
    """Most readings of utterances that may fail in a run, as a share; more than that,
    and more than ten utterances, stop it."""

    def __post_init__(self) -> None:
        """Check the limits."""
        if isinstance(self.max_duration, int | float):
            # A plan of batches counts in them, so that infinity is none.
            check_range(self, "data", "max_duration", above=0, below=math.inf)
        elif self.max_duration != "auto":
            raise ValueError(
                "data.max_duration must be a number of seconds or auto, got "
                f"{self.max_duration!r}"
            )
        counts = ("shard_block", "max_cuts", "num_buckets", "prefetch")
        check_range(self, "data", *counts, "max_utterances", least=1)
        check_range(self, "data", "num_workers", "min_seconds", "read_timeout", least=0)
        limits = ("memory_gb", "max_seconds", "max_tokens_per_second")
        check_range(self, "data", *limits, "max_test_seconds", "weights", above=0)
        check_range(self, "data", "max_left_out", least=0, most=1)

    @property
    def batch_seconds(self) -> float:
        """`max_duration` where a number is needed.

        Raises:
            InputError: It is auto, and nothing has decided it.
        """
        if self.max_duration == "auto":
            raise InputError(
                "data.max_duration=auto is for training; give a number of seconds here"
            )
        return float(self.max_duration)


class Attach(Protocol):
    """Gives batches what was computed for their utterances before."""

    def __contains__(self, utterance: str) -> bool:
        """Say whether there is something for the utterance of that id."""
        ...

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with it."""
        ...


def make_loader(
    planned: Iterable[PlannedBatch],
    tokenizer: Tokenizer,
    sampling_rate: int,
    *,
    augment: WaveAugment | None,
    stored_features: bool,
    num_workers: int,
    prefetch: int,
    attach: Sequence[Attach] = (),
    timeout: float = 0.0,
    left_out: LeftOutList | None = None,
) -> Iterator[tuple[Batch, Position]]:
    """Read planned batches, in their order, but for those that cannot be read at all.

    Args:
        planned: Which utterances; may be endless.
        tokenizer: Turns texts into tokens.
        sampling_rate: Hz to resample to.
        augment: Of the audio, or None.
        stored_features: Read features from disk instead of audio.
        num_workers: Processes that read; 0 reads in this one.
        prefetch: Batches that each of them holds ready.
        attach: What batches carry besides audio and text.
        timeout: Longest that a worker may read one utterance, seconds; 0: no limit.
        left_out: Takes down what cannot be read; None: a list that is only logged.
    """
    stream = read_batches(
        planned,
        Reader(tokenizer, sampling_rate, augment, stored_features, attach),
        num_workers=num_workers,
        prefetch=prefetch,
        timeout=timeout,
        left_out=left_out or LeftOutList(),
    )
    return ((batch, position) for batch, position in stream if batch is not None)
