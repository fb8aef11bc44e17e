"""Letters that are written in two ways."""

import pytest

from asrkit.text.two_ways import Letters


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["caf\u00e9", "cafe\u0301 cafe\u0301", "e\u0301"], {"\u00e9": 2}),
        (["caf\u00e9 cafe\u0301"], {"\u00e9": 1}),
        (["cafe\u0301", "cafe"], {}),
        (["\u03ac", "\u1f71"], {"\u03ac": 1}),  # tonos and oxia
        (["\uac00", "\u1100\u1161"], {"\uac00": 1}),  # a syllable of Korean
        # Bengali and Hindi letters that Unicode's NFC takes apart.
        (["\u09df \u09af", "\u09af\u09bc", "\u095c \u0921\u093c"], {}),
    ],
)
def test_letters_in_two_ways(texts, found):
    halves = Letters(), Letters()
    for text, half in zip(texts, halves * len(texts), strict=False):
        half.add(text)
    halves[0].join(halves[1])
    assert halves[0].in_two_ways() == found
