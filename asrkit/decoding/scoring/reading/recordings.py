"""stm and ctm files where no segment has to be found: a recording is an utterance."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from asrkit.decoding.scoring.reading.lines import ScoredLine
from asrkit.decoding.scoring.reading.timed import TimedPart, read_ctm
from asrkit.text.stm import Segment, read_stm
from asrkit.utils.errors import InputError


def stm_rows(path: Path, text: str) -> Iterator[tuple[str, ScoredLine]]:
    """Return the words of each file's segments, in the order of their times.

    That is how meeteval takes an stm for a plain word error rate.

    Args:
        path: The file, for messages.
        text: What it holds.

    Raises:
        InputError: It is malformed, or needs sclite's rules or several speakers'.
    """
    files: dict[str, list[Segment]] = defaultdict(list)
    for segment in read_stm(path, text).segments:
        if segment.ignored or "{" in segment.text:
            raise InputError(
                f"{segment.where}: ignored segments and alternatives are sclite's; "
                "score a ctm against this stm with --sclite"
            )
        files[segment.file].append(segment)
    for file, segments in files.items():
        if len({(one.channel, one.speaker) for one in segments}) > 1:
            raise InputError(
                f"{path}: {file} has several speakers or channels; score a ctm against "
                "this stm with --sclite, or meetings with meeteval"
            )
        segments.sort(key=lambda one: one.start)
        words = [word for one in segments for word in one.text.split()]
        yield (
            segments[0].where,
            ScoredLine(file, text=words, speaker=segments[0].speaker),
        )


def ctm_rows(path: Path, text: str) -> Iterator[tuple[str, ScoredLine]]:
    """Return the words of each file, in the order of their times.

    Args:
        path: The file, for messages.
        text: What it holds.

    Raises:
        InputError: It is malformed, has alternatives, or a file of several channels.
    """
    files: dict[str, list[TimedPart]] = defaultdict(list)
    for part in read_ctm(path, text):
        if len(part.readings) > 1:
            raise InputError(
                f"{part.where}: alternatives need --sclite and an stm reference"
            )
        files[part.file].append(part)
    for file, parts in files.items():
        if len({part.channel for part in parts}) > 1:
            raise InputError(
                f"{path}: {file} has several channels; score it against an stm with "
                "--sclite"
            )
        parts.sort(key=lambda part: part.start)
        words = [word.text for part in parts for word in part.readings[0]]
        yield parts[0].where, ScoredLine(file, text=words)
