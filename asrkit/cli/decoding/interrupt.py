"""Ctrl-C for what is heard live: the stream ends, the command goes on."""

import signal
from collections.abc import Iterable, Iterator
from types import FrameType

from torch import Tensor


def until_interrupted(packets: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield packets until Ctrl-C; what was heard until then is the whole stream.

    A second Ctrl-C ends the command, as it does everywhere else.
    """
    ended = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ended
        ended = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, end)
    try:
        for packet in packets:
            yield packet
            if ended:
                return
    finally:
        signal.signal(signal.SIGINT, before)
