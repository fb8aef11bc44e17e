"""Sentences by chance, from a context-free grammar."""

import random
from collections.abc import Mapping, Sequence

Grammar = Mapping[str, Sequence[str]]
"""What may stand for each symbol, every choice as likely as the others; what is no
symbol is a word."""

START = "SENTENCE"
"""The symbol that a sentence comes from."""


def zipf(words: Sequence[str]) -> list[str]:
    """Repeat words so that an even draw follows Zipf's law: 1/n for the nth of them."""
    return [
        word
        for rank, word in enumerate(words, start=1)
        for _ in range(round(len(words) / rank))
    ]


def draw_sentences(
    grammar: Grammar, counts: Sequence[int], rng: random.Random
) -> list[list[str]]:
    """Draw lists of sentences; no sentence is in two lists or twice in one.

    Args:
        grammar: Has a rule for `START`, and many more sentences than are asked for.
        counts: Sentences of each list.
        rng: Source of randomness; the first lists do not depend on later counts.
    """
    seen: set[str] = set()
    lists: list[list[str]] = []
    for count in counts:
        sentences: list[str] = []
        while len(sentences) < count:
            sentence = _expand(START, grammar, rng)
            if sentence not in seen:
                seen.add(sentence)
                sentences.append(sentence)
        lists.append(sentences)
    return lists


def _expand(symbol: str, grammar: Grammar, rng: random.Random) -> str:
    if symbol not in grammar:
        return symbol
    parts = rng.choice(grammar[symbol]).split()
    return " ".join(_expand(part, grammar, rng) for part in parts)
