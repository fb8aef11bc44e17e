"""Words as an interval tier for Praat."""

from collections.abc import Sequence

from asrkit.decoding.transcripts.transcript import Transcript
from asrkit.decoding.transcripts.words import Word

Interval = tuple[float, float, str]
"""Start and end in seconds, and text."""


def to_textgrid(transcripts: Sequence[Transcript]) -> str:
    """Return one transcript as a TextGrid in the long format, with the tier `words`.

    Praat wants intervals without gaps from the first to the last second: what is no
    word is an interval without text.
    """
    (transcript,) = transcripts
    intervals = fill_gaps(transcript.words, transcript.duration)
    ends = f"xmin = 0.0\n{{0}}xmax = {intervals[-1][1]}\n"
    return (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        + ends.format("")
        + "tiers? <exists>\nsize = 1\nitem []:\n    item [1]:\n"
        + '        class = "IntervalTier"\n        name = "words"\n        '
        + ends.format(" " * 8)
        + f"        intervals: size = {len(intervals)}\n"
        + "".join(_interval(n, one) for n, one in enumerate(intervals, start=1))
    )


def fill_gaps(words: Sequence[Word], duration: float) -> list[Interval]:
    """Return words and the gaps between them, to the microsecond."""
    intervals: list[Interval] = []
    last = 0.0
    for word in words:
        start, end = round(word.start, 6), round(word.end, 6)
        if start > last:
            intervals.append((last, start, ""))
        intervals.append((start, end, word.text))
        last = end
    if not intervals or round(duration, 6) > last:
        intervals.append((last, round(duration, 6), ""))
    return intervals


def _interval(number: int, interval: Interval) -> str:
    start, end, text = interval
    quoted = text.replace('"', '""')
    lines = (f"xmin = {start}", f"xmax = {end}", f'text = "{quoted}"')
    body = "".join(f"{' ' * 12}{line}\n" for line in lines)
    return f"        intervals [{number}]:\n{body}"
