"""N-gram language models as tables: what is counted, written, read and searched."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class NgramTable:
    """A back-off language model; natural logarithms.

    Token ids are the tokenizer's. Id 0 (`BOUNDARY`) is <s> where it stands first in an
    n-gram of several tokens, and </s> where it stands last; the 1-gram 0 has the
    probability of </s> and the back-off weight of <s>.
    """

    ngrams: list[Ints]
    """Of orders 1, 2, ..., N: token ids (count, order). Rows are sorted, none comes
    twice, and each row without its last token is a row of the order below."""
    log_probs: list[Floats]
    """Log-probability of each row's last token after the others, (count,)."""
    backoffs: list[Floats]
    """Of orders 1 to N - 1: log-weight of what the row as a context does not list."""

    @property
    def order(self) -> int:
        """The most tokens of an n-gram, N."""
        return len(self.ngrams)


def row_keys(places: Ints, tokens: Ints, V: int) -> Ints:
    """Number n-grams of one order so that the numbers sort as the rows do.

    Args:
        places: Place of each row without its last token in the order below.
        tokens: Last token of each row.
        V: Size of the vocabulary.
    """
    return places * V + tokens


def table_keys(ngrams: Sequence[Ints], V: int) -> list[Ints]:
    """Return the `row_keys` of each order of a table."""
    keys: list[Ints] = []
    for rows in ngrams:
        keys.append(row_keys(find_rows(keys, rows[:, :-1], V), rows[:, -1], V))
    return keys


def find_rows(keys: Sequence[Ints], rows: Ints, V: int) -> Ints:
    """Return the place of each row (count, n) among the n-grams of its order, or -1.

    Args:
        keys: Of the orders 1 to n at least, sorted; see `table_keys`.
        rows: Token ids; where n is 0 the place is 0.
        V: Size of the vocabulary.
    """
    places = np.zeros(len(rows), dtype=np.int64)
    for known, tokens in zip(keys, rows.T, strict=False):
        wanted = row_keys(places, tokens, V)
        found = np.searchsorted(known, wanted)
        # One number more, so that every place may be looked at. What is wanted is at
        # least -V: rows whose start is not known look for one below 0, in vain.
        hit = np.append(known, -V - 1)[found] == wanted
        places = np.where(hit, found, -1)
    return places
