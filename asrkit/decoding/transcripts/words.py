"""Words with their times, from the labels that spell them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from asrkit.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Word:
    """A word and where it is in its recording."""

    text: str
    start: float
    """Seconds."""
    end: float
    """Seconds; later than the start, and not later than the next word's."""
    confidence: float
    """Of the label of it that is the least sure, 0 to 1."""


def find_words(
    tokenizer: Tokenizer,
    tokens: Sequence[int],
    frames: Sequence[int],
    confidences: Sequence[float],
    *,
    frame_seconds: float,
    duration: float,
    offset: float = 0.0,
    texts: Sequence[str] | None = None,
    ends: Sequence[int] | None = None,
) -> list[Word]:
    """Group labels into words.

    A word goes from its first label's frame to the end of its last label's; words that
    begin in the same frame divide it into equal parts.

    Args:
        tokenizer: Says which labels are a word.
        tokens: Labels, without blank.
        frames: Frame of each label, never falling.
        confidences: Of each label, 0 to 1.
        frame_seconds: Audio in a frame, seconds.
        duration: Of the audio that the frames are of, seconds; no word is longer.
        offset: Where this audio begins in its recording, seconds.
        texts: The words, where a search with a lexicon chose them; None: the tokenizer
            tells.
        ends: Frame after the last of each label; None: each is one frame long.
    """
    spans = tokenizer.word_spans(tokens)
    ends = [frame + 1 for frame in frames] if ends is None else ends
    if texts is None:
        texts = [tokenizer.decode([tokens[i] for i in span]) for span in spans]
    spelled = [(text, span) for text, span in zip(texts, spans, strict=True) if text]
    starts = _starts([frames[span[0]] for _, span in spelled], frame_seconds, duration)
    nexts = [*starts, duration][1:]
    words = []
    for (text, span), start, following in zip(spelled, starts, nexts, strict=True):
        end = min(ends[span[-1]] * frame_seconds, following)
        confidence = min(confidences[i] for i in span)
        words.append(Word(text, offset + start, offset + end, confidence))
    return words


def _starts(frames: list[int], frame_seconds: float, duration: float) -> list[float]:
    """Return the seconds at which words begin that begin in these frames."""
    together = Counter(frames)
    before: Counter[int] = Counter()
    starts = []
    for frame in frames:
        start = frame * frame_seconds
        length = min(frame_seconds, duration - start)
        starts.append(start + length * before[frame] / together[frame])
        before[frame] += 1
    return starts
