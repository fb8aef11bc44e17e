"""Networks of words: every reading of a text with alternatives is a way through."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asrkit.decoding.scoring.sclite.words import Text, Word


@dataclass(frozen=True)
class Network:
    """Arcs in an order in which none comes before those it follows on.

    Arc 0 is the start and has no word. Which of several arcs comes first matters where
    paths cost the same: it is their order in the text.
    """

    words: list[Word]
    """Of arcs 1, 2, ..."""
    before: list[tuple[int, ...]]
    """The arcs that each arc may follow on; none for arc 0."""
    last: tuple[int, ...]
    """The arcs that a way may end with."""

    def __len__(self) -> int:
        """Return the number of arcs, the start among them."""
        return len(self.before)

    @cached_property
    def runs(self) -> list[tuple[int, int]]:
        """Return (first, end) of the stretches where each arc follows on the last."""
        begins = [
            arc
            for arc in range(1, len(self))
            if arc == 1 or self.before[arc] != (arc - 1,)
        ]
        return list(zip(begins, [*begins[1:], len(self)], strict=False))

    def predecessors(self) -> np.ndarray:
        """Return arcs that arcs 1, 2, ... may follow on, (most, len - 1).

        Where there are fewer, the first is repeated.
        """
        most = max(1, *map(len, self.before))
        padded = [arcs + arcs[:1] * (most - len(arcs)) for arcs in self.before[1:]]
        return np.array(padded, dtype=np.int64).reshape(len(self) - 1, most).T


def make_network(text: Text, word: Callable[[str], Word]) -> Network:
    """Make the network of a text.

    Args:
        text: Tokens and alternatives.
        word: Returns the word that a token stands for.
    """
    words: list[Word] = []
    before: list[tuple[int, ...]] = [()]

    def add(text: Text, at: tuple[int, ...]) -> tuple[int, ...]:
        """Add a text behind the arcs `at`; return the arcs that it ends with."""
        for item in text:
            if isinstance(item, str):
                words.append(word(item))
                before.append(at)
                at = (len(before) - 1,)
            else:
                at = tuple(arc for reading in item for arc in add(reading, at))
        return at

    last = add(text, (0,))
    return Network(words, before, last)
