"""What is counted, and error rates against a table of our own and jiwer's."""

import random

import pytest

from asrkit.decoding.scoring.error_unit import ERROR_RATES, ErrorUnit
from asrkit.decoding.scoring.score import Hypothesis, error_rate, score
from asrkit.utils.errors import InputError
from tests.unit.decoding.scoring.test_score import edit_distance

CHINESE = "今天天气很好我们去公园吧"
MIXED = ["ok", "python", "dont", "wifi"]


def random_texts(seed, size, words=()):
    """Chinese texts, cut into words at random, with words of another script."""
    draw = random.Random(seed)
    texts = []
    for _ in range(size):
        parts = draw.choices([*CHINESE, *words], k=draw.randint(1, 12))
        blanks = draw.choices([" ", ""], k=len(parts))
        text = "".join(a + b for a, b in zip(parts, blanks, strict=True))
        texts.append(text.strip())
    return texts


def pairs(words):
    """Random references and hypotheses; some are equal but for their blanks."""
    refs = random_texts(1, 400, words)
    hyps = random_texts(2, 400, words)
    hyps[::4] = [text.replace(" ", "") for text in refs[::4]]
    return refs, hyps


def hypotheses(refs, hyps):
    sides = zip(refs, hyps, strict=True)
    return [
        Hypothesis(f"u{number:03}", ref.split(), hyp.split())
        for number, (ref, hyp) in enumerate(sides)
    ]


def without_blanks(texts):
    return [text.replace(" ", "") for text in texts]


@pytest.mark.parametrize("words", [[], MIXED], ids=["chinese", "mixed"])
def test_characters_equal_the_edit_distance_without_blanks(words):
    refs, hyps = pairs(words)
    sides = list(zip(without_blanks(refs), without_blanks(hyps), strict=True))
    errors = sum(edit_distance(ref, hyp) for ref, hyp in sides)
    result = score(hypotheses(refs, hyps), ErrorUnit.CHARACTER)
    assert result.words == sum(len(ref) for ref, _ in sides)
    assert result.errors == errors > 0
    assert result.rate == 100 * errors / result.words
    assert result.cer is None
    assert not any(one.errors for one in result.alignments[::4])


@pytest.mark.parametrize("words", [[], MIXED], ids=["chinese", "mixed"])
def test_characters_equal_jiwers(words):
    jiwer = pytest.importorskip("jiwer")
    refs, hyps = pairs(words)
    expected = jiwer.cer(without_blanks(refs), without_blanks(hyps))
    result = score(hypotheses(refs, hyps), ErrorUnit.CHARACTER)
    assert result.rate == pytest.approx(100 * expected)


def test_mixed_counts_characters_and_words():
    # With blanks round each Latin word, the words are what stands between blanks.
    refs, hyps = pairs([f" {word} " for word in MIXED])
    hyps[::4] = refs[1::4]

    def spaced(text):
        parts = (part if part in MIXED else " ".join(part) for part in text.split())
        return " ".join(parts).split()

    sides = [(spaced(ref), spaced(hyp)) for ref, hyp in zip(refs, hyps, strict=True)]
    result = score(hypotheses(refs, hyps), ErrorUnit.MIXED)
    assert result.errors == sum(edit_distance(*side) for side in sides) > 0
    assert result.words == sum(len(ref) for ref, _ in sides)


@pytest.mark.parametrize("unit", ErrorUnit)
def test_the_rate_alone_is_that_of_the_score(unit):
    both = hypotheses(*pairs(MIXED))
    assert error_rate(both, unit) == score(both, unit).rate


@pytest.mark.parametrize(
    ("unit", "divided"),
    [
        (ErrorUnit.WORD, ["我have", "一个", "pen3", "ที่นี่"]),
        (ErrorUnit.CHARACTER, [*"我have一个pen3", "ที่", "นี่"]),
        (ErrorUnit.MIXED, ["我", "have", "一", "个", "pen3", "ที่", "นี่"]),
    ],
)
def test_texts_are_divided(unit, divided):
    assert unit.divide(["我have", "一个", "pen3", "ที่นี่"]) == divided


def test_names():
    named = [(unit.rate, unit.scalar, unit.noun, unit.plural) for unit in ErrorUnit]
    assert named == [
        ("WER", "wer", "word", "words"),
        ("CER", "cer", "character", "characters"),
        ("MER", "mer", "token", "tokens"),
    ]
    assert ERROR_RATES == ("wer", "cer", "mer")


@pytest.mark.parametrize("rate", [score, error_rate])
def test_nothing_to_count_is_refused(rate):
    with pytest.raises(InputError, match="no reference characters in 1 utterances"):
        rate([Hypothesis("u", [], ["a"])], ErrorUnit.CHARACTER)
