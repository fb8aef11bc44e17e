"""Word times in CTM files, which say when each word of an utterance is spoken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write


@dataclass(frozen=True)
class TimedWord:
    """A word of an utterance and when it is spoken."""

    # Not Lhotse's AlignmentItem: importing it takes the processes that speak the demo
    # corpus longer than speaking.
    text: str
    start: float
    """Seconds from the utterance's beginning."""
    end: float
    """Seconds from the utterance's beginning."""


def word_times_path(transcript: Path) -> Path:
    """Return where the word times of a chapter are: beside its transcripts."""
    return transcript.with_name(
        transcript.name.removesuffix(".trans.txt") + ".words.ctm"
    )


def write_ctm(times: Mapping[str, Sequence[TimedWord]], path: Path) -> None:
    """Write the words of each utterance, to a millisecond.

    The lines are NIST's: `UTTERANCE CHANNEL START DURATION WORD`.
    """
    with atomic_write(path, "w") as file:
        for utterance, words in times.items():
            for word in words:
                start, end = round(word.start, 3), round(word.end, 3)
                file.write(f"{utterance} 1 {start:.3f} {end - start:.3f} {word.text}\n")


def read_ctm(path: Path) -> dict[str, list[TimedWord]]:
    """Read word times; a confidence behind the word is passed over.

    Raises:
        InputError: The file cannot be read, or a line of it makes no sense.
    """
    times: dict[str, list[TimedWord]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(";;"):
            continue
        try:
            utterance, _, start, duration, word, *_ = line.split()
            begin, length = float(start), float(duration)
        except ValueError as error:
            raise InputError(
                f"{path}:{number}: {line!r} should be UTTERANCE CHANNEL START DURATION "
                "WORD, times in seconds; correct or delete the file"
            ) from error
        end = round(begin + length, 6)  # no 0.30000000000000004
        times.setdefault(utterance, []).append(TimedWord(word, begin, end))
    return times
