"""A batch of utterances, as it goes from the loader to the model."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lhotse import CutSet
from lhotse.cut import Cut
from torch import Tensor

from asrkit.data.audio.signal import read_signal
from asrkit.data.batches.nbest import NBestLists
from asrkit.text.tokenizer import Tokenizer


@dataclass
class Batch:
    """Utterances with their audio, or with features computed before."""

    ids: list[str]
    texts: list[str]
    speakers: list[str | None]
    signal: Tensor
    """Audio (B, S) in [-1, 1], or stored features (B, T_in, F), float32."""
    signal_lens: Tensor
    """Samples or frames per utterance, (B,), int64."""
    tokens: Tensor
    """(B, U), int64; what lies past token_lens is 0."""
    token_lens: Tensor
    """(B,), int64."""
    durations: list[float]
    """Seconds of audio of each utterance."""
    alignment: Tensor | None = None
    """Label of every encoder frame, 0 for none, (B, T), int64."""
    nbest: NBestLists | None = None
    """Hypotheses of each utterance."""

    @property
    def seconds(self) -> float:
        """Audio in the batch."""
        return sum(self.durations)

    @property
    def has_features(self) -> bool:
        """Whether the signal is features already."""
        return self.signal.ndim == 3

    def features(
        self, compute: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        """Return features (B, T_in, F) and their lengths (B,).

        Args:
            compute: Makes them of audio (B, S) and its lengths, where none are stored.
        """
        if self.has_features:
            return self.signal, self.signal_lens
        return compute(self.signal, self.signal_lens)

    def to(self, device: torch.device) -> "Batch":
        """Move the tensors; pinned memory goes over without waiting."""
        alignment, nbest = self.alignment, self.nbest
        return dataclasses.replace(
            self,
            signal=self.signal.to(device, non_blocking=True),
            signal_lens=self.signal_lens.to(device, non_blocking=True),
            tokens=self.tokens.to(device, non_blocking=True),
            token_lens=self.token_lens.to(device, non_blocking=True),
            alignment=alignment
            if alignment is None
            else alignment.to(device, non_blocking=True),
            nbest=nbest if nbest is None else nbest.to(device),
        )

    def split(self, count: int) -> tuple["Batch", "Batch"]:
        """Return the first `count` utterances, and the rest."""
        fields = dataclasses.fields(self)
        left, right = (
            Batch(**{f.name: _rows(getattr(self, f.name), part) for f in fields})
            for part in (slice(None, count), slice(count, None))
        )
        return left, right

    def pin_memory(self) -> "Batch":
        """Put the signal where a GPU can fetch it; called by torch's DataLoader."""
        self.signal = self.signal.pin_memory()
        return self


def _rows(value: Any, rows: slice) -> Any:
    """Return some utterances' part of a field, which may be missing."""
    return None if value is None else value[rows]


def collate(
    cuts: CutSet, tokenizer: Tokenizer, sampling_rate: int, *, stored_features: bool
) -> Batch:
    """Read the audio (or the stored features) of cuts with one supervision each.

    Args:
        cuts: Utterances.
        tokenizer: Turns their texts into tokens.
        sampling_rate: Hz to resample to.
        stored_features: Read the features that the cuts point to, not the audio.

    Raises:
        UnreadableError: There is something wrong with an utterance.
    """
    utterances = list(cuts)
    signals = [
        read_signal(cut, sampling_rate, stored_features=stored_features)
        for cut in utterances
    ]
    return make_batch(utterances, signals, tokenizer)


def make_batch(
    cuts: Sequence[Cut], signals: Sequence[Tensor], tokenizer: Tokenizer
) -> Batch:
    """Put utterances together with what was read of them.

    Args:
        cuts: Utterances.
        signals: Audio (S,) or features (T_in, F) of each.
        tokenizer: Turns their texts into tokens.
    """
    texts = [cut.supervisions[0].text or "" for cut in cuts]
    tokens = [torch.tensor(tokenizer.encode(t), dtype=torch.int64) for t in texts]
    return Batch(
        ids=[cut.id for cut in cuts],
        texts=texts,
        speakers=[cut.supervisions[0].speaker for cut in cuts],
        signal=pad(signals),
        signal_lens=lengths(signals),
        tokens=pad(tokens),
        token_lens=lengths(tokens),
        durations=[cut.duration for cut in cuts],
    )


def pad(rows: Sequence[Tensor]) -> Tensor:
    """Stack rows of different lengths, filled up with 0."""
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


def lengths(rows: Sequence[Tensor]) -> Tensor:
    """Return the lengths of rows, (B,), int64."""
    return torch.tensor([len(row) for row in rows], dtype=torch.int64)
