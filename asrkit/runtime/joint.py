"""Decoder and joiner of a transducer, as searches ask them."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from asrkit.runtime.networks import Network

Context = tuple[int, ...]
"""The last labels, blank where there were fewer."""

_REMEMBERED = 4096  # contexts; the same few come again and again


class Joint:
    """What the model says about the next label.

    Args:
        decoder: Maps the last labels (N, C) to (N, J).
        joiner: Maps (N, J) and (N, J) to log-probabilities (N, V).
        context_size: Labels that the decoder sees, C.
    """

    def __init__(self, decoder: Network, joiner: Network, context_size: int) -> None:
        self.decoder, self.joiner = decoder, joiner
        self.start: Context = (0,) * context_size
        self.after = lru_cache(_REMEMBERED)(self._after)

    def _after(self, context: Context) -> np.ndarray:
        """Return what the decoder gives after these labels, (J,)."""
        return self.decoder(np.array([context], dtype=np.int64))[0][0]

    def __call__(self, frames: np.ndarray, contexts: Sequence[Context]) -> np.ndarray:
        """Return log-probabilities (N, V) at frames (N, J) after N contexts."""
        decoded = np.stack([self.after(context) for context in contexts])
        return self.joiner(np.ascontiguousarray(frames), decoded)[0]
