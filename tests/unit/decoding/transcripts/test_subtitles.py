"""SubRip files: read back, and within the limits of what can be read on a screen."""

import itertools
import random
import re

import pytest

from asrkit.decoding.transcripts.subtitles import make_cues, to_srt
from asrkit.decoding.transcripts.transcript import Transcript
from asrkit.decoding.transcripts.words import Word

BLOCK = re.compile(
    r"(\d+)\n(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})\n(.+)",
    re.DOTALL,
)


def parse(text):
    """Return (number, start, end, lines) of each block."""
    cues = []
    for block in text.split("\n\n") if text else []:
        number, *times, lines = BLOCK.fullmatch(block.rstrip("\n")).groups()
        h1, m1, s1, ms1, h2, m2, s2, ms2 = map(int, times)
        start = 3600 * h1 + 60 * m1 + s1 + ms1 / 1000
        end = 3600 * h2 + 60 * m2 + s2 + ms2 / 1000
        cues.append((int(number), start, end, lines.split("\n")))
    return cues


def make(words):
    return parse(to_srt([Transcript(id="a", duration=9.0, text="", words=words)]))


def test_blocks_by_hand():
    words = [Word("HELLO", 3599.9996, 3600.5, 1.0), Word("THERE", 3601, 3601.25, 1.0)]
    one = Transcript(id="a", duration=9.0, text="", words=words)
    assert to_srt([one]) == "1\n01:00:00,000 --> 01:00:01,250\nHELLO THERE\n"
    assert make([]) == []


def test_a_pause_begins_a_new_cue():
    words = [Word("A", 0, 0.5, 1.0), Word("B", 1.4, 2, 1.0), Word("C", 3.0, 3.2, 1.0)]
    assert make(words) == [(1, 0.0, 2.0, ["A B"]), (2, 3.0, 4.0, ["C"])]


def test_a_short_cue_stays_until_the_next_one_at_most():
    words = [Word("A" * 42, 0, 0.04, 1.0), Word("B" * 42, 0.1, 0.2, 1.0)]
    words.append(Word("C", 0.5, 0.6, 1.0))
    assert make(words) == [
        (1, 0.0, 0.5, ["A" * 42, "B" * 42]),
        (2, 0.5, 1.5, ["C"]),
    ]


@pytest.mark.parametrize(
    ("word", "texts"),
    [
        (Word("A" * 90, 0.0, 6.0, 1.0), [["A" * 30, "A" * 30], ["A" * 30]]),
        (Word("ABCD", 0.0, 20.0, 1.0), [["A"], ["B"], ["CD"]]),
        (Word("A", 0.0, 20.0, 1.0), [["A"]]),
        (Word("WELL-KNOWN" * 4, 0.0, 1.0, 1.0), [["WELL-KNOWN" * 4]]),
    ],
)
def test_words_that_are_too_long_are_taken_apart(word, texts):
    cues = make([word])
    assert [cue[3] for cue in cues] == texts
    assert all(end - start <= 7 for _, start, end, _ in cues)


def test_all_words_are_there_in_readable_cues():
    rng = random.Random(0)
    for _ in range(50):
        now, words = 0.0, []
        for _ in range(60):
            now += rng.choice([0.0, 0.0, 0.1, 0.5, 2.0])
            text = "".join(rng.choices("ABCDEFG-'", k=rng.randint(1, 14)))
            words.append(Word(text, now, now := now + rng.uniform(0.01, 1.5), 1.0))
        cues = make(words)
        assert [n for n, *_ in cues] == list(range(1, len(cues) + 1))
        shown = " ".join(line for *_, lines in cues for line in lines)
        assert shown == " ".join(word.text for word in words)
        for _, start, end, lines in cues:
            assert len(lines) <= 2
            assert max(map(len, lines)) <= 42
            assert 0 < end - start <= 7.001
        for (_, _, end, _), (_, start, _, _) in itertools.pairwise(cues):
            assert end <= start
        # As few cues as the limits allow are far fewer than words.
        assert len(make_cues(words)) == len(cues) < 45


def test_han_characters_stand_without_blanks():
    texts = [*"今天天气", "OK", *"很好"]
    words = [Word(text, n / 4, n / 4 + 0.2, 1.0) for n, text in enumerate(texts)]
    assert [lines for *_, lines in make(words)] == [["今天天气 OK 很好"]]
