"""Batches of sentences for language models: sentences of like length together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from asrkit.data.batches.plan import BatchPlan, Position, split_longest_first
from asrkit.data.text.store import TextStore


@dataclass
class TextBatch:
    """Sentences as tokens."""

    rows: np.ndarray
    """Numbers of the sentences in their store, (B,)."""
    tokens: Tensor
    """(B, U), int64; what lies past token_lens is 0."""
    token_lens: Tensor
    """(B,), int64."""

    @property
    def ids(self) -> list[str]:
        """Names of the sentences, for messages."""
        return [f"sentence-{row}" for row in self.rows]

    def to(self, device: torch.device) -> "TextBatch":
        """Move the tensors."""
        return TextBatch(
            rows=self.rows,
            tokens=self.tokens.to(device, non_blocking=True),
            token_lens=self.token_lens.to(device, non_blocking=True),
        )

    def split(self, count: int) -> tuple["TextBatch", "TextBatch"]:
        """Return the first `count` sentences, and the rest."""
        left, right = (
            TextBatch(self.rows[part], self.tokens[part], self.token_lens[part])
            for part in (slice(None, count), slice(count, None))
        )
        return left, right


def plan_text(
    lengths: np.ndarray,
    *,
    max_tokens: int,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
) -> BatchPlan:
    """Plan endless batches of sentences of like length.

    Args:
        lengths: Tokens of each sentence, (sentences,).
        max_tokens: Most tokens in a batch, padding and ends of sentences included.
        seed: Of the order.
        rank: This process.
        world_size: Processes.
    """
    return BatchPlan(
        lengths + 1,
        groups=-lengths,
        max_length=max_tokens,
        seed=seed,
        rank=rank,
        world_size=world_size,
    )


def text_batches(
    store: TextStore, plan: BatchPlan, position: Mapping[str, float] | None
) -> Iterator[tuple[TextBatch, Position]]:
    """Yield this process's training batches after `position`, without end."""
    if position is not None:
        plan.start = Position.from_state(position)
    for rows, reached, _ in plan.deal():
        yield read_batch(store, rows), reached


def text_batches_once(
    store: TextStore, *, max_tokens: int, rank: int = 0, world_size: int = 1
) -> Iterator[TextBatch]:
    """Yield this process's share of one pass over all sentences."""
    for rows in split_longest_first(store.lengths + 1, max_tokens)[rank::world_size]:
        yield read_batch(store, rows)


def read_batch(store: TextStore, rows: np.ndarray) -> TextBatch:
    """Read sentences from a store."""
    starts, ends = store.ends[rows], store.ends[rows + 1]
    places = starts[:, None] + np.arange((ends - starts).max())
    inside = places < ends[:, None]
    tokens = store.tokens[np.where(inside, places, 0)].astype(np.int64) * inside
    return TextBatch(rows, torch.from_numpy(tokens), torch.from_numpy(ends - starts))
