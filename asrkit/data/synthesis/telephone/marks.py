"""What people do as they talk: hesitate, break off, laugh; and how it is written."""

import random
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """A word or a mark, in three ways."""

    spoken: str
    """For espeak-ng; may be empty."""
    written: str
    """As MS-State's transcripts have it."""
    reference: str
    """As Hub5's stm has it."""


def _hesitation(rng: random.Random) -> Piece:
    sound = rng.choice(["uh", "um"])
    return Piece(sound, sound, "(%hesitation)")


def _fragment(word: str) -> Piece:
    """Break a word off behind its first vowels: tea[cher]-."""
    end = next(n for n, letter in enumerate(word) if letter in "aeiouy") + 1
    said, rest = word[:end], word[end:]
    return Piece(said, f"{said}[{rest}]-", f"({said}-)")


def _changed(word: str, rng: random.Random, shares: Mapping[str, float]) -> Piece:
    """Return a word as it is said: laughing, in a variant, or plainly."""
    chance = rng.random()
    if chance < shares["laughed"]:
        return Piece(word, f"[laughter-{word}]", word)
    if chance < shares["laughed"] + shares["variant"]:
        return Piece(word, f"{word}_1", f"{{ {word} / {word}s }}")
    if chance < shares["laughed"] + shares["variant"] + shares["misread"]:
        return Piece(word, f"[{word[::-1]}/{word}]", word)
    return Piece(word, word, word)


def mark(
    sentence: str, rng: random.Random, shares: Mapping[str, float]
) -> tuple[Piece, ...]:
    """Return a sentence in lower case as someone may say it.

    Args:
        sentence: Words.
        rng: Source of chance.
        shares: Of the words that are `laughed`, in a `variant` or `misread`; of the
            sentences with a `hesitation`, a `fragment`, something `aside`, or of which
            the transcriber is in `doubt`.
    """
    pieces = [_changed(word, rng, shares) for word in sentence.lower().split()]
    place = rng.randrange(len(pieces))
    if rng.random() < shares["fragment"]:
        pieces.insert(place, _fragment(pieces[place].spoken))
    if rng.random() < shares["hesitation"]:
        pieces.insert(place, _hesitation(rng))
    if rng.random() < shares["aside"]:
        pieces.insert(0, Piece("", "<b_aside>", "<B_ASIDE>"))
        pieces.append(Piece("", "<e_aside>", "<E_ASIDE>"))
    if rng.random() < shares["doubt"]:
        first = pieces[0]
        pieces[0] = Piece(first.spoken, f"(({first.written}))", f"(({first.reference})")
    return tuple(pieces)
