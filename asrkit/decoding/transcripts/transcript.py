"""What is known about a recording after it was recognized or aligned."""

from dataclasses import dataclass, field

from asrkit.decoding.transcripts.words import Word


@dataclass(frozen=True)
class Alternative:
    """One hypothesis of an n-best list."""

    text: str
    score: float
    """Log-probability, fusion included."""


@dataclass(frozen=True)
class Piece:
    """A stretch of a recording that was searched at once."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""
    nbest: list[Alternative]
    """The best first."""


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """A recording's words."""

    id: str
    """Of the utterance, or the file's name without its folder and suffix."""
    duration: float
    """Seconds."""
    text: str
    words: list[Word]
    audio: str | None = None
    """Path of the file, where files were given."""
    pieces: list[Piece] = field(default_factory=list)
    """N-best lists, where there are any."""

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.audio or self.id
