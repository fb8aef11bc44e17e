"""From manifests to batches: reading, augmenting, and the workers that do it."""

import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch.utils.data import DataLoader, Dataset

from asrkit.data.batch import Batch, collate
from asrkit.data.plan import PlannedBatch, Position
from asrkit.data.wave_augment import WaveAugment
from asrkit.text.tokenizer import Tokenizer


@dataclass(kw_only=True)
class DataConfig:
    """Which utterances to train and test on, and how they become batches."""

    manifests: str = "data/demo/manifests"
    """Folder of the manifests (librispeech_cuts_PART.jsonl.gz)."""
    lang_dir: str | None = None
    """Folder of the tokenizer; null: lang_* beside the manifests' folder."""
    train: list[str] = field(default_factory=lambda: ["train"])
    """Parts to train on."""
    dev: list[str] = field(default_factory=lambda: ["dev"])
    """Parts to validate on."""
    test: list[str] = field(default_factory=lambda: ["test"])
    """Parts to decode at the end."""
    max_duration: float = 600.0
    """Most seconds of audio in a batch of one process."""
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
    max_utterances: int | None = None
    """Use the first so many utterances of each set only, e.g. to overfit on purpose."""


class Attach(Protocol):
    """Gives batches what was computed for their utterances before."""

    def __contains__(self, utterance: str) -> bool:
        """Say whether there is something for the utterance of that id."""
        ...

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with it."""
        ...


class _Reader(Dataset[tuple[Batch, Position]]):
    """Reads planned batches; runs in the workers."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        sampling_rate: int,
        augment: WaveAugment | None,
        stored_features: bool,
        attach: Sequence[Attach],
    ) -> None:
        self.tokenizer = tokenizer
        self.sampling_rate = sampling_rate
        self.augment = augment
        self.stored_features = stored_features
        self.attach = attach

    def __getitem__(self, planned: PlannedBatch) -> tuple[Batch, Position]:
        cuts = planned.cuts
        if self.augment is not None:
            cuts = self.augment(cuts, planned.seed)
        batch = collate(
            cuts,
            self.tokenizer,
            self.sampling_rate,
            stored_features=self.stored_features,
        )
        for attach in self.attach:
            batch = attach(batch)
        return batch, planned.position


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
) -> Iterator[tuple[Batch, Position]]:
    """Read planned batches, in their order.

    Args:
        planned: Which utterances; may be endless.
        tokenizer: Turns texts into tokens.
        sampling_rate: Hz to resample to.
        augment: Of the audio, or None.
        stored_features: Read features from disk instead of audio.
        num_workers: Processes that read; 0 reads in this one.
        prefetch: Batches that each of them holds ready.
        attach: What batches carry besides audio and text.
    """
    reader = _Reader(tokenizer, sampling_rate, augment, stored_features, attach)
    loader = DataLoader(
        reader,
        batch_size=None,
        sampler=planned,
        num_workers=num_workers,
        prefetch_factor=prefetch if num_workers else None,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=start_worker if num_workers else None,
        # One of its own: without it, opening a loader draws from the global random
        # numbers, and a resumed run would not equal one that was never stopped.
        generator=torch.Generator().manual_seed(0),
    )
    return iter(loader)


def start_worker(worker: int) -> None:
    """Keep a worker off the training's cores, and let the training handle Ctrl-C."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
