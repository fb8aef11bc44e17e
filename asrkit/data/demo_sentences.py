"""Made-up sentences for the demo corpus."""

import random

# Every word is drawn evenly and most say nothing about their neighbours, so that a
# recognizer has to listen. No two of the words sound alike (TWO, but no TO).
WORDS = {
    "ACTION": "PUT BRING MOVE HIDE CARRY LEAVE WASH PAINT",
    "NUMBER": "TWO THREE FOUR FIVE SIX SEVEN EIGHT NINE TEN",
    "COLOR": "GREEN BLUE YELLOW WHITE BLACK BROWN ORANGE PURPLE",
    "KIND": "OLD NEW SMALL BIG HEAVY BROKEN",
    "THINGS": "BOXES BOOKS CUPS CHAIRS APPLES LAMPS SHOES LETTERS FLOWERS WINDOWS",
    "WHERE": "NEAR UNDER BEHIND ABOVE BESIDE",
    "PLACE": "KITCHEN GARDEN TABLE DOOR RIVER SCHOOL MARKET STATION BRIDGE FOREST",
    "WHO": "DOCTOR TEACHER FARMER SISTER BROTHER NEIGHBOR CHILDREN",
    "DAY": "MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY",
    "DID": "FOUND LOST SOLD SAW COUNTED REMEMBERED",
}
TEMPLATES = (
    "PLEASE ACTION NUMBER COLOR THINGS WHERE THE PLACE",
    "PLEASE ACTION THE KIND THINGS WHERE THE PLACE",
    "NUMBER COLOR THINGS AND NUMBER KIND THINGS",
    "NUMBER KIND COLOR THINGS WHERE THE PLACE",
    "ON DAY THE WHO DID NUMBER THINGS",
    "THE WHO DID COLOR THINGS ON DAY",
    "OUR WHO WILL ACTION THE KIND THINGS",
    "WHY WAS THE COLOR PLACE KIND ON DAY",
    "MY KIND WHO DID THE COLOR PLACE",
    "NUMBER NUMBER NUMBER COLOR NUMBER",
    "KIND COLOR THINGS",
    "COLOR PLACE DAY NUMBER KIND WHO",
    "ACTION THINGS WHERE THINGS DAY",
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
