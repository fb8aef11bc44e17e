"""TextGrids, read back by a reader that follows Praat's description of the format."""

import re

from asrkit.decoding.transcripts.textgrid import to_textgrid
from asrkit.decoding.transcripts.transcript import Transcript
from asrkit.decoding.transcripts.words import Word


def parse(text):
    """Read the values in their order, as Praat does: it skips all other text.

    Values are numbers and strings between quotes; `<exists>` is a flag.
    """
    values = re.findall(r'"(?:[^"]|"")*"|<\w+>|(?<![\w\[])-?[\d.]+(?![\w\]])', text)
    values = [
        v[1:-1].replace('""', '"') if v[0] == '"' else v if v[0] == "<" else float(v)
        for v in values
    ]
    kind, what, start, end, exists, tiers, tier, name, *values = values
    assert (kind, what, exists, tiers) == ("ooTextFile", "TextGrid", "<exists>", 1)
    assert (tier, name) == ("IntervalTier", "words")
    assert values[:2] == [start, end]
    assert len(values) == 3 + 3 * values[2]
    return start, end, list(zip(*[iter(values[3:])] * 3, strict=True))


def make(words, duration):
    return parse(
        to_textgrid([Transcript(id="a", duration=duration, text="", words=words)])
    )


def test_words_and_gaps_fill_the_tier():
    words = [
        Word('SAY "A 1"', 0.04, 0.08, 1.0),
        Word("B", 0.08, 1 / 3, 1.0),
        Word("C", 1.0, 1.5, 1.0),
    ]
    start, end, intervals = make(words, 2.0)
    assert (start, end) == (0.0, 2.0)
    assert intervals == [
        (0.0, 0.04, ""),
        (0.04, 0.08, 'SAY "A 1"'),
        (0.08, 0.333333, "B"),
        (0.333333, 1.0, ""),
        (1.0, 1.5, "C"),
        (1.5, 2.0, ""),
    ]


def test_no_gap_at_either_end():
    words = [Word("A", 0.0, 1.0, 1.0), Word("B", 1.0, 2.0, 1.0)]
    assert make(words, 2.0) == (0.0, 2.0, [(0.0, 1.0, "A"), (1.0, 2.0, "B")])


def test_a_recording_without_words_is_one_gap():
    assert make([], 2.5) == (0.0, 2.5, [(0.0, 2.5, "")])
