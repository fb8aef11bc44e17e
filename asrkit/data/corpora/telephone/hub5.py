"""Hub5'00 (LDC2002S09, LDC2002T43), as its stm has it: Switchboard and CallHome."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from asrkit.data.corpora.scan import Utterance
from asrkit.data.corpora.telephone.text import ASIDE, REFERENCE, Rule, normalize
from asrkit.data.left_out import LeftOut
from asrkit.text.stm import CHANNELS, Segment, read_stm
from asrkit.utils.errors import InputError
from asrkit.utils.text_file import read_text

TEST_SETS = {"test_swbd": "sw_", "test_callhome": "en_"}
"""The two kinds of calls, by what the names of their recordings begin with."""

# `((` and `))` would not match in some lines, and sclite knows no aside.
_DOUBLED = Rule(r"([()])\1+", r"\1", "LDC2002T43")
_LETTER = Rule(r"(?<!\S)([a-z])\.(?!\S)", r"\1", "LDC2002T43")
"""`t.`: training's transcripts spell without points."""
CLEANING = (_DOUBLED, ASIDE, _LETTER)


def clean_stm(text: str) -> str:
    """Return an stm that sclite scores as it is meant, comments untouched."""
    return "\n".join(map(_clean_line, text.split("\n")))


def _clean_line(line: str) -> str:
    if line.startswith(";;"):
        return line
    for rule in CLEANING:
        line = rule.apply(line)
    return re.sub(r"(?<=\S)[ \t]+", " ", line).rstrip()


def read_hub5(
    stm: Path, recordings: Mapping[str, Path], part: str
) -> Iterator[Utterance | LeftOut]:
    """Read the utterances of a test set.

    Args:
        stm: The reference.
        recordings: Two channels each, by the names that the stm calls them.
        part: One of `TEST_SETS`.

    Raises:
        InputError: The stm is malformed, or has a recording that is not there.
    """
    for segment in read_stm(stm, clean_stm(read_text(stm))).segments:
        if not segment.file.startswith(TEST_SETS[part]):
            continue
        if segment.file not in recordings:
            raise InputError(
                f"{segment.where}: no recording {segment.file}.sph is there; give the "
                "folder that holds LDC2002S09, too"
            )
        yield _row(segment, recordings[segment.file])


def _row(segment: Segment, recording: Path) -> Utterance | LeftOut:
    begin, end = (round(100 * time) for time in (segment.start, segment.end))
    id = f"{segment.file}-{segment.channel}-{begin:06d}-{end:06d}"
    if segment.ignored:
        return LeftOut(id, segment.where, "the reference has it ignored in scoring")
    if segment.channel not in CHANNELS:
        raise InputError(
            f"{segment.where}: the channel is {segment.channel!r}, not A or B"
        )
    return Utterance(
        id=id,
        path=recording,
        text=normalize(segment.text, REFERENCE),
        speaker=segment.speaker,
        start=segment.start,
        duration=segment.end - segment.start,
        channel=CHANNELS.index(segment.channel),
    )
