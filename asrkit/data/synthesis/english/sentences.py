"""Made-up sentences for the demo corpus."""

from asrkit.data.synthesis.grammar import START, Grammar

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
GRAMMAR: Grammar = {START: TEMPLATES} | {
    slot: choices.split() for slot, choices in WORDS.items()
}
