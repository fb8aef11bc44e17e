"""The grammar of demo_hard: English sentences of some three thousand words.

Words of a kind are drawn evenly, so that a recognizer has to listen. Pairs that
espeak-ng speaks as one word (OF THE, IN THE, THAT A) do not occur: their sentences
would be without word times.
"""

from asrkit.data.synthesis.english import words
from asrkit.data.synthesis.english.morphology import (
    adverb,
    comparative,
    participle,
    past,
    plural,
    quality,
    superlative,
)
from asrkit.data.synthesis.grammar import START, Grammar

_PEOPLE = words.PEOPLE.split()
_SOMEONE = _PEOPLE + words.ANIMALS.split()
_THINGS = (words.ANIMALS + words.THINGS + words.IDEAS).split()
_PLACES = words.PLACES.split()
_DOING = (
    words.TRANSITIVE.split()
    + ["RE" + verb for verb in words.REPEATED.split()]
    + ["UN" + verb for verb in words.UNDONE.split()]
)
_BEING = words.INTRANSITIVE.split()
_GRADED = (words.SIZES + words.TEMPERS).split()
_TEMPERS = words.TEMPERS.split()
_MANNERS = words.MANNERS.split()

GRAMMAR: Grammar = {
    START: (
        "subject past object where when",
        "subject adverb past object AND object where",
        "ON day subject past object where",
        "IN month name past object AND adverb past object",
        "singular thirds object BECAUSE plural ARE adjective AND adjective",
        "plural verb object WHEN singular rests where",
        "WE WILL verb object where AND verb object",
        "THEY ARE doing object AND doing object where",
        "name IS doing object WHILE name rests adverb",
        "singular IS comparative THAN subject BUT adjective AND adjective",
        "number things AND number adjective things where",
        "PLEASE verb object when BEFORE YOU verb object",
        "CAN YOU verb object AND object where when",
        "name AND name past object IN town when",
        "THE superlative someone IN town rested adverb when",
        "THE quality OF name past plural AND plural where",
        "HOW MANY things DID subject verb where when",
        "IF singular rests adverb SHE MUST verb object when",
        "name FROM town HAS past number things where",
        "HE rested adverb BUT plural past object when",
        "THE road FROM town ACROSS town IS comparative when",
    ),
    "subject": ("singular", "plural", "name"),
    "singular": ("THE someone", "THE adjective someone", "MY adjective person"),
    "plural": ("THE folk", "number folk", "SOME adjective folk", "MANY folk"),
    "object": (
        "THE thing",
        "THE adjective thing",
        "number things",
        "number adjective things",
        "OUR color thing",
        "THEIR things",
        "color things",
        "EVERY thing",
        "name",
    ),
    "where": (
        "near THE place",
        "near THE adjective place",
        "near number places",
        "IN town",
        "BETWEEN town AND town",
    ),
    "when": (
        "ON day",
        "IN month",
        "EVERY day",
        "AFTER number YEARS",
        "YESTERDAY",
        "BEFORE BREAKFAST",
        "TOMORROW MORNING",
        "UNTIL month",
    ),
    "near": (
        "NEAR",
        "BEHIND",
        "ABOVE",
        "ACROSS",
        "AROUND",
        "UNDER",
        "BEYOND",
        "INSIDE",
        "OUTSIDE",
        "THROUGH",
        "TOWARD",
        "ALONG",
        "BESIDE",
        "BELOW",
    ),
    "number": ("unit", "unit", "teen", "ten unit", "unit HUNDRED", "ten THOUSAND"),
    "road": ("ROAD", "RAILWAY", "JOURNEY"),
    "person": _PEOPLE,
    "someone": _SOMEONE,
    "folk": [plural(noun) for noun in _SOMEONE],
    "thing": _THINGS,
    "things": [plural(noun) for noun in _THINGS],
    "place": _PLACES,
    "places": [plural(noun) for noun in _PLACES],
    "name": words.NAMES.split(),
    "town": [
        beginning + ending
        for beginning in words.TOWN_BEGINNINGS.split()
        for ending in words.TOWN_ENDINGS.split()
    ],
    "verb": _DOING,
    "thirds": [plural(verb) for verb in _DOING],
    "past": [past(verb) for verb in _DOING],
    "doing": [participle(verb) for verb in _DOING],
    "rests": [plural(verb) for verb in _BEING],
    "rested": [past(verb) for verb in _BEING],
    "adjective": _GRADED + _MANNERS,
    "comparative": [comparative(adjective) for adjective in _GRADED],
    "superlative": [superlative(adjective) for adjective in _GRADED],
    "adverb": [adverb(adjective) for adjective in _TEMPERS + _MANNERS],
    "quality": [quality(adjective) for adjective in _TEMPERS],
    "color": words.COLORS.split(),
    "unit": words.UNITS.split(),
    "teen": words.TEENS.split(),
    "ten": words.TENS.split(),
    "day": words.DAYS.split(),
    "month": words.MONTHS.split(),
}
