"""Made-up sentences for the demo corpus."""

import random

# Every word is drawn evenly and most say nothing about their neighbours, so that a
# recognizer has to listen. No two of the words sound alike (TWO, but no TO).
WORDS = {
    "ACTION": "PUT BRING MOVE CARRY",
    "NUMBER": "TWO THREE FOUR FIVE SEVEN EIGHT",
    "COLOR": "GREEN YELLOW WHITE PURPLE ORANGE",
    "KIND": "OLD NEW SMALL HEAVY",
    "THINGS": "BOXES BOOKS CHAIRS APPLES LETTERS WINDOWS",
    "WHERE": "NEAR UNDER BEHIND",
    "PLACE": "KITCHEN GARDEN RIVER SCHOOL MARKET STATION",
    "WHO": "DOCTOR TEACHER FARMER CHILDREN",
    "DAY": "MONDAY TUESDAY THURSDAY SATURDAY",
    "DID": "FOUND SOLD REMEMBERED",
}
TEMPLATES = (
    "PLEASE ACTION NUMBER COLOR THINGS",
    "PLEASE ACTION THE KIND THINGS",
    "ACTION NUMBER THINGS WHERE THE PLACE",
    "NUMBER COLOR THINGS AND NUMBER THINGS",
    "NUMBER KIND COLOR THINGS",
    "THE WHO DID NUMBER THINGS ON DAY",
    "THE WHO DID KIND COLOR THINGS",
    "KIND THINGS WHERE THE PLACE ON DAY",
    "COLOR PLACE DAY NUMBER WHO",
    "THINGS WHERE THINGS AND WHO",
    "NUMBER NUMBER COLOR PLACE",
)


def draw_sentences(counts: list[int], rng: random.Random) -> list[list[str]]:
    """Draw lists of sentences; no sentence is in two lists or twice in one.

    Args:
        counts: Sentences of each list.
        rng: Source of randomness; the first lists do not depend on later counts.
    """
    seen: set[str] = set()
    lists: list[list[str]] = []
    for count in counts:
        sentences: list[str] = []
        while len(sentences) < count:
            sentence = _fill(rng.choice(TEMPLATES), rng)
            if sentence not in seen:
                seen.add(sentence)
                sentences.append(sentence)
        lists.append(sentences)
    return lists


def _fill(template: str, rng: random.Random) -> str:
    words = (
        rng.choice(WORDS[slot].split()) if slot in WORDS else slot
        for slot in template.split()
    )
    return " ".join(words)
