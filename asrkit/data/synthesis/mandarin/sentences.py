"""Mandarin sentences: everyday words by Zipf's law, and a long tail of names."""

import random
from collections.abc import Sequence

from asrkit.data.synthesis.grammar import START, Grammar, draw_sentences, zipf
from asrkit.data.synthesis.mandarin import words
from asrkit.data.synthesis.mandarin.names import make_names

NUM_NAMES = 1377
_ITINERARY = "从 {} 到 {} 然后 去 {}"
"""What lists names; no other sentence is one."""

TEMPLATES = (
    "who when 在 place doing",
    "when who 在 place verb thing",
    "who 和 who 一起 去 place doing",
    "who verb number thing",
    "colour 的 thing 在 place",
    "请 你 verb number colour 的 thing",
    "who 很 feeling 因为 who verb thing",
    "这 number thing 非常 quality",
    "place 里 有 number animal 和 thing",
    "animal 比 animal quality",
    "when who 想 doing",
    "who when 去 town doing",
    "从 town 到 town 要 走 number 小时",
    "town 公司 的 worker 很 feeling",
    "when town 会 weather",
    "town 的 thing 非常 quality",
    "worker 说 town 没有 animal",
)
_KINDS = {
    "family": words.FAMILY,
    "worker": words.WORKERS,
    "when": words.TIMES,
    "place": words.PLACES,
    "doing": words.DOING,
    "verb": words.VERBS,
    "thing": words.THINGS,
    "animal": words.ANIMALS,
    "colour": words.COLOURS,
    "quality": words.QUALITIES,
    "feeling": words.FEELINGS,
    "number": words.NUMBERS,
    "weather": words.WEATHER,
    "city": words.CITIES,
}
_CHOICES = {
    "who": ("family", "family", "worker"),
    "town": ("city", "city", "city", "city", "city", "name"),
}


def everyday_words() -> list[str]:
    """Return all words that are no made-up names, each once."""
    symbols = _KINDS.keys() | _CHOICES.keys() | {"{}"}
    fixed = " ".join((*TEMPLATES, _ITINERARY)).split()
    kinds = " ".join(_KINDS.values()).split()
    return list(dict.fromkeys([w for w in fixed if w not in symbols] + kinds))


def make_grammar(names: Sequence[str]) -> Grammar:
    """Return the rules: Zipf's law among the words of a kind, names evenly."""
    kinds = {symbol: zipf(listed.split()) for symbol, listed in _KINDS.items()}
    return {START: TEMPLATES, **_CHOICES, **kinds, "name": names}


def draw_mandarin(counts: Sequence[int], rng: random.Random) -> list[list[str]]:
    """Draw lists of sentences; no sentence is in two lists or twice in one.

    The last list begins with sentences that hold every name: training has all
    characters, though most names are too rare to be drawn.

    Args:
        counts: Sentences of each list; training comes last.
        rng: Source of randomness; the first lists do not depend on later counts.
    """
    names = make_names(everyday_words(), NUM_NAMES)
    drawn = draw_sentences(make_grammar(names), counts, rng)
    return [*drawn[:-1], [*_itineraries(names, rng), *drawn[-1]][: counts[-1]]]


def _itineraries(names: Sequence[str], rng: random.Random) -> list[str]:
    """Return sentences in which each name comes once."""
    left = iter(rng.sample(names, len(names)))
    return [_ITINERARY.format(*three) for three in zip(left, left, left, strict=True)]
