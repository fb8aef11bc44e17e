"""Modified Kneser-Ney, against its definition in dictionaries."""

import math
import random
from collections import Counter, defaultdict

import numpy as np
import pytest

from asrkit.text.ngram.kneser_ney import train_kneser_ney
from asrkit.utils.errors import InputError

V = 12
BEGIN, END = "<s>", "</s>"


class ChenGoodman:
    """Equations 21 to 26 of Chen and Goodman's report, one n-gram at a time.

    The recursion ends with the uniform distribution; n-grams that begin with <s> keep
    their counts; what pruning takes away goes to the order below.
    """

    def __init__(self, sentences, order, min_counts):
        self.order, self.min_counts = order, min_counts
        self.raw = [Counter() for _ in range(order + 1)]
        for words in sentences:
            padded = (BEGIN, *words, END)
            for n in range(1, order + 1):
                for i in range(len(padded) - n + 1):
                    self.raw[n][padded[i : i + n]] += 1
        del self.raw[1][BEGIN,]
        self.counts = [Counter() for _ in range(order + 1)]
        self.counts[order] = self.raw[order]
        for n in range(1, order):
            for ngram in self.raw[n + 1]:
                self.counts[n][ngram[1:]] += 1
            for ngram, count in self.raw[n].items():
                if ngram[0] == BEGIN:
                    self.counts[n][ngram] = count
        self.discounts = [self.discount(counts) for counts in self.counts[1:]]
        self.followers = defaultdict(dict)
        for counts in self.counts[1:]:
            for ngram, count in counts.items():
                self.followers[ngram[:-1]][ngram[-1]] = count

    def discount(self, counts):
        n1, n2, n3, n4 = (sum(c == k for c in counts.values()) for k in (1, 2, 3, 4))
        if 0 in (n1, n2, n3):
            return [0, 0.5, 1, 1.5]
        y = n1 / (n1 + 2 * n2)
        found = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        return [0, *found] if min(found) > 0 else [0, 0.5, 1, 1.5]

    def listed(self, ngram):
        n = len(ngram)
        return n == 1 or self.raw[n][ngram] >= self.min_counts[n - 1]

    def gamma(self, context):
        followers = self.followers[context]
        left = 0.0
        for word, count in followers.items():
            taken = self.discounts[len(context)][min(count, 3)]
            left += taken if self.listed((*context, word)) else count
        return left / sum(followers.values()) if followers else 1.0

    def prob(self, context, word):
        """Return P(word | context); the context has at most order - 1 tokens."""
        followers = self.followers[context]
        count = followers.get(word, 0)
        direct = 0.0
        if count and self.listed((*context, word)):
            taken = self.discounts[len(context)][min(count, 3)]
            direct = (count - taken) / sum(followers.values())
        lower = self.prob(context[1:], word) if context else 1 / V
        return direct + self.gamma(context) * lower


def draw_sentences(count):
    """Draw sentences whose counts are many and uneven; tokens 1 and 11 never come."""
    sentences = []
    for _ in range(count):
        words = [min(int(random.expovariate(0.4)) + 2, 10)]
        while random.random() > 0.15:
            last = words[-1]
            words.append(2 + (2 * last + int(random.expovariate(0.5))) % 9)
        sentences.append(words)
    return sentences


def name(row):
    """Spell a row of a table as the tuples above."""
    row = list(row)
    if row[0] == 0 and len(row) > 1:
        row[0] = BEGIN
    if row[-1] == 0:
        row[-1] = END
    return tuple(row)


@pytest.mark.parametrize(
    "min_counts", [[1], [1, 1], [1, 1, 1], [1, 2, 2], [1, 1, 2, 3], [1, 1, 1, 1, 1, 1]]
)
def test_every_number_is_that_of_the_definition(min_counts, caplog):
    order = len(min_counts)
    sentences = [*draw_sentences(200), [5]]
    table = train_kneser_ney(sentences, V, order=order, min_counts=min_counts)
    expected = ChenGoodman(sentences, order, min_counts)
    assert table.order == order
    assert len(caplog.messages) <= 1  # discounts but those of tokens are estimated
    for n in range(1, order + 1):
        rows = [name(row) for row in table.ngrams[n - 1].tolist()]
        listed = {row for row in expected.raw[n] if expected.listed(row)}
        every = {*((token,) for token in range(1, V)), (END,)}
        assert set(rows) == (every if n == 1 else listed)
        assert len(rows) == len(set(rows))
        assert table.ngrams[n - 1].tolist() == sorted(table.ngrams[n - 1].tolist())
        probs = [expected.prob(row[:-1], row[-1]) for row in rows]
        np.testing.assert_allclose(table.log_probs[n - 1], np.log(probs), atol=1e-12)
        if n < order:
            # The row of the boundary has the back-off weight of <s>.
            contexts = [(BEGIN,) if row == (END,) else row for row in rows]
            gammas = [expected.gamma(row) for row in contexts]
            np.testing.assert_allclose(
                table.backoffs[n - 1], np.log(gammas), atol=1e-12
            )


def test_definition_is_a_distribution():
    sentences = draw_sentences(50)
    expected = ChenGoodman(sentences, 3, [1, 2, 2])
    for context in [(), (3,), (BEGIN, 4), (5, 5), (11, 11), sentences[0][:2]]:
        words = [*range(1, V), END]
        total = math.fsum(expected.prob(tuple(context), word) for word in words)
        assert total == pytest.approx(1)


def test_numbers_by_hand(caplog):
    # <s> 3 </s> twice and <s> 3 4 </s>. No 1-gram's count is 3, which is too little.
    table = train_kneser_ney([[3], [3], [3, 4]], 5, order=2)
    assert caplog.messages == [
        "too little text to estimate discounts of order 1; taking (0.5, 1.0, 1.5) for "
        "counts of 1, 2 and more"
    ]
    # 1-grams: 3 comes after <s>; 4 after 3; </s> after 3 and 4.
    gamma = (0.5 + 0.5 + 1) / 4
    single = [(2 - 1) / 4, 0, 0, (1 - 0.5) / 4, (1 - 0.5) / 4]
    single = [direct + gamma / 5 for direct in single]
    np.testing.assert_allclose(np.exp(table.log_probs[0]), single)
    # Of 2-grams 2, 1, 1 and 0 come 1, 2, 3 and 4 times: y = 0.5, D = 0.5, 0.5, 3.
    assert table.ngrams[1].tolist() == [[0, 3], [3, 0], [3, 4], [4, 0]]
    np.testing.assert_allclose(
        np.exp(table.log_probs[1]),
        [
            (3 - 3) / 3 + 3 / 3 * single[3],
            (2 - 0.5) / 3 + (0.5 + 0.5) / 3 * single[0],
            (1 - 0.5) / 3 + (0.5 + 0.5) / 3 * single[4],
            (1 - 0.5) / 1 + 0.5 / 1 * single[0],
        ],
    )
    np.testing.assert_allclose(np.exp(table.backoffs[0]), [1, 1, 1, 1 / 3, 0.5])


@pytest.mark.parametrize(
    ("sentences", "order", "min_counts", "message"),
    [
        ([], 2, None, "there is no sentence"),
        ([[3], [4, 4]], 5, None, "order 5: the longest sentence has 2 tokens"),
        ([[3]], 2, [1], "order 2 needs 2 minimum counts"),
        ([[3]], 2, [2, 2], r"begin with 1 and never fall, got \[2, 2\]"),
        ([[3]], 3, [1, 2, 1], "begin with 1 and never fall"),
    ],
)
def test_bad_input(sentences, order, min_counts, message):
    with pytest.raises(InputError, match=message):
        train_kneser_ney(sentences, V, order=order, min_counts=min_counts)
