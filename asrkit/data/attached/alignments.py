"""Alignments of the training data: which label each encoder frame emits."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asrkit.data.attached.rows import Row, check_labels, read_rows
from asrkit.data.batches.batch import Batch
from asrkit.utils.errors import InputError


@dataclass(frozen=True)
class Alignment:
    """Of one utterance; at most one label a frame."""

    num_frames: int
    """Encoder frames, T."""
    tokens: np.ndarray
    """(U,), int32."""
    frames: np.ndarray
    """Frame of each label, (U,), int32, rising."""


class AttachAlignments:
    """Gives batches the alignments of their utterances.

    Args:
        folder: With the shards that an align stage wrote; read at once.
        frames_of: Returns how many encoder frames each utterance has, (B,).
        vocab_size: Tokens of the run.

    Raises:
        InputError: The folder holds no alignments, or a part of them.
    """

    def __init__(
        self, folder: Path, frames_of: Callable[[Batch], Tensor], vocab_size: int
    ) -> None:
        self.folder = folder
        self.vocab_size = vocab_size
        self.frames_of = frames_of
        self.alignments = {
            row["id"]: _alignment(row)
            for row in read_rows(folder)
            if row["frames"] is not None
        }

    def __contains__(self, utterance: str) -> bool:
        """Say whether there is an alignment of the utterance."""
        return utterance in self.alignments

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with `alignment`.

        Raises:
            InputError: An utterance is longer or shorter than when it was aligned, or
                it was aligned with another tokenizer.
        """
        found = [self.alignments[utterance] for utterance in batch.ids]
        lens = self.frames_of(batch).tolist()
        for utterance, one, length in zip(batch.ids, found, lens, strict=True):
            if one.num_frames != length:
                raise InputError(
                    f"{utterance} has {length} encoder frames, but {one.num_frames} in "
                    f"{self.folder}: its audio, the features or the encoder's frame "
                    "rate have changed since; delete that folder's stage and run it "
                    "again"
                )
        self._check_texts(batch, found)
        labels = torch.zeros(len(found), max(lens), dtype=torch.int64)
        for row, one in zip(labels, found, strict=True):
            row[torch.from_numpy(one.frames).long()] = torch.from_numpy(
                one.tokens
            ).long()
        check_labels(labels, self.vocab_size, self.folder)
        return replace(batch, alignment=labels)

    def _check_texts(self, batch: Batch, found: list[Alignment]) -> None:
        """Raise InputError where other labels were aligned than are trained on."""
        rows = zip(batch.ids, batch.tokens, batch.token_lens.tolist(), strict=True)
        for (utterance, tokens, count), one in zip(rows, found, strict=True):
            if not np.array_equal(tokens[:count].numpy(), one.tokens):
                raise InputError(
                    f"{utterance}: the text has the labels {_few(tokens[:count])}, but "
                    f"{_few(one.tokens)} are aligned in {self.folder}: the text or the "
                    "tokenizer has changed since; delete that folder's stage and run "
                    "it again"
                )


def _few(labels: Tensor | np.ndarray) -> str:
    """Show the first labels."""
    shown = " ".join(str(label) for label in labels[:10].tolist())
    return f"{shown} ..." if len(labels) > 10 else shown or "(none)"


def _alignment(row: Row) -> Alignment:
    """Take a row into little memory."""
    return Alignment(
        row["num_frames"],
        np.array(row["tokens"], dtype=np.int32),
        np.array(row["frames"], dtype=np.int32),
    )
