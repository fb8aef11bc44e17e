"""What was said, as labels and as text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asrkit.text.byte_pieces import join_pieces
from asrkit.text.tokenizer import UNK_ID

Labels = Sequence[tuple[int, int]]
"""Label and encoder frame of each that was emitted."""


@dataclass(frozen=True)
class Transcript:
    """What was said."""

    text: str
    """Tokens in a row, their boundary marks as spaces; phones stay phones."""
    tokens: list[str]
    """Pieces as tokens.txt has them."""
    times: list[float]
    """Seconds from the start to each token."""


def transcribe(labels: Labels, tokens: Sequence[str], frame: float) -> Transcript:
    """Write labels as text.

    Args:
        labels: With their encoder frames.
        tokens: The piece of each label.
        frame: Seconds of an encoder frame.
    """
    # The first two are blank and <sos/eos>, which are no text.
    said = [(tokens[label], time) for label, time in labels if label >= UNK_ID]
    pieces = [piece for piece, _ in said]
    times = [round(frame * time, 3) for _, time in said]
    return Transcript(join(pieces), pieces, times)


def join(pieces: Iterable[str]) -> str:
    """Put pieces in a row; bytes become characters, and boundary marks spaces."""
    return " ".join(join_pieces(pieces).replace("▁", " ").split())
