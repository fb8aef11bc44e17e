"""The one exception for things a user can mend, and what messages share."""

import difflib
from collections.abc import Iterable, Sequence

_MOST_EXAMPLES = 3


class InputError(ValueError):
    """Bad input: the message names the file, key or utterance and what to do.

    Commands print the message alone, without a traceback, and end with status 2.
    """


def unknown_key(key: str, known: Sequence[str]) -> str:
    """Say that a key is unknown, which one may be meant, and which there are."""
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    return f"no {key!r} here.{meant} There are: {', '.join(sorted(known))}"


def some(names: Iterable[str]) -> str:
    """Name the first few, and say how many more there are."""
    names = list(names)
    more = len(names) - _MOST_EXAMPLES
    shown = ", ".join(names[:_MOST_EXAMPLES])
    return f"{shown} and {more:,} more" if more > 0 else shown
