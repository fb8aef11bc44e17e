"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman, 1998)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from asrkit.text.ngram.ngram_table import Bools, Floats, Ints, NgramTable, row_keys
from asrkit.text.tokenizer import BOUNDARY
from asrkit.utils.errors import InputError

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts of counts 1, 2 and more where too little text gives none; lmplz's."""

logger = logging.getLogger(__name__)


def train_kneser_ney(
    sentences: Sequence[Sequence[int]],
    vocab_size: int,
    *,
    order: int,
    min_counts: Sequence[int] | None = None,
) -> NgramTable:
    """Estimate P(token | up to order - 1 tokens before it), </s> being a token.

    As in SRILM and KenLM the distribution of single tokens is interpolated with the
    uniform one, over tokens 1 to vocab_size - 1 and </s>, so that every token has a
    probability; n-grams that begin with <s> keep their counts in the lower orders.

    Args:
        sentences: Token ids, without <s> and </s>.
        vocab_size: Tokens with blank, V.
        order: The most tokens of an n-gram.
        min_counts: Of each order: n-grams that come less often are left out, and what
            they had goes to their context's back-off weight. None keeps all.

    Raises:
        InputError: There is no sentence, all are too short for `order`, or
            `min_counts` has not one number an order, 1 first and never falling.
    """
    min_counts = [1] * order if min_counts is None else list(min_counts)
    if min_counts[:1] != [1] or min_counts != sorted(min_counts):
        raise InputError(
            f"minimum counts begin with 1 and never fall, got {min_counts}"
        )
    if len(min_counts) != order:
        raise InputError(
            f"order {order} needs {order} minimum counts, got {min_counts}"
        )
    levels = _count(sentences, vocab_size, order)
    table = NgramTable([], [], [])
    rows = np.zeros((1, 0), dtype=np.int64)  # of the order below, from here on
    kept = np.ones(1, dtype=bool)
    probs = np.full(1, 1 / vocab_size)
    for n, (level, counts) in enumerate(zip(levels, _adjust(levels), strict=True), 1):
        contexts, rows = kept, np.column_stack([rows[level.context], level.token])
        # Tokens that never come are listed, too.
        kept = level.count >= min_counts[n - 1] if n > 1 else np.ones_like(level.begins)
        probs, gammas = _interpolate(level, counts, _discounts(counts, n), kept, probs)
        table.ngrams.append(rows[kept])
        table.log_probs.append(np.log(probs[kept]))
        if n > 1:
            table.backoffs.append(np.log(gammas[contexts]))
    return table


@dataclass(frozen=True)
class _Level:
    """All n-grams of one order, sorted, each once."""

    context: Ints
    """Place, in the order below, of the n-gram without its last token."""
    suffix: Ints
    """Place there of the n-gram without its first token."""
    token: Ints
    """The last token."""
    count: Ints
    """How often the n-gram comes."""
    begins: Bools
    """Whether the first token is <s>, others following."""


def _count(
    sentences: Sequence[Sequence[int]], vocab_size: int, order: int
) -> list[_Level]:
    """Count the n-grams of all orders; none reaches over the end of a sentence."""
    if not sentences:
        raise InputError("cannot train an n-gram model: there is no sentence")
    stream = np.fromiter(
        chain.from_iterable((BOUNDARY, *words, BOUNDARY) for words in sentences),
        dtype=np.int64,
    )
    lengths = np.array([len(words) + 2 for words in sentences])
    starts_sentence = np.zeros(len(stream), dtype=bool)
    starts_sentence[np.cumsum(lengths) - lengths] = True
    sentence = np.cumsum(starts_sentence)
    nothing = np.zeros(vocab_size, dtype=np.int64)
    count = np.bincount(stream[~starts_sentence], minlength=vocab_size)
    tokens = np.arange(vocab_size)
    levels = [_Level(nothing, nothing, tokens, count, nothing.astype(bool))]
    places = stream  # of the n-gram of the order below that starts at each position
    for n in range(2, order + 1):
        starts = np.flatnonzero(sentence[n - 1 :] == sentence[: len(stream) - n + 1])
        if not len(starts):
            raise InputError(
                f"cannot train an n-gram model of order {order}: the longest sentence "
                f"has {max(lengths) - 2} tokens; choose a lower order"
            )
        keys = row_keys(places[starts], stream[starts + n - 1], vocab_size)
        found, inverse, count = np.unique(keys, return_inverse=True, return_counts=True)
        suffix, begins = np.zeros_like(found), np.zeros(len(found), dtype=bool)
        suffix[inverse] = places[starts + 1]
        begins[inverse] = starts_sentence[starts]
        context, token = np.divmod(found, vocab_size)
        levels.append(_Level(context, suffix, token, count, begins))
        places = np.zeros_like(stream)
        places[starts] = inverse
    return levels


def _adjust(levels: list[_Level]) -> list[Ints]:
    """Return the counts that are smoothed: of how many tokens an n-gram comes after.

    The highest order, and n-grams that begin with <s>, which nothing comes before, keep
    the number of times that they come.
    """
    # Kneser and Ney (1995): a shorter n-gram is asked only where the longer one is
    # rare, so that it counts in how many contexts it comes, |{v : c(v w) > 0}|, not
    # how often.
    adjusted = [levels[-1].count]
    for level, above in zip(levels[-2::-1], levels[:0:-1], strict=True):
        different = np.bincount(above.suffix, minlength=len(level.token))
        adjusted.insert(0, np.where(level.begins, level.count, different))
    return adjusted


def _discounts(counts: Ints, n: int) -> Floats:
    """Estimate what to take from counts of 0, 1, 2, and 3 or more (equation 26)."""
    once, twice, thrice, often = np.bincount(counts.clip(max=5), minlength=6)[1:5]
    # D(k) = k - (k + 1) y n_(k+1) / n_k with y = n_1 / (n_1 + 2 n_2) and n_k the number
    # of n-grams with count k.
    if once and twice and thrice:
        y = once / (once + 2 * twice)
        taken = [
            1 - 2 * y * twice / once,
            2 - 3 * y * thrice / twice,
            3 - 4 * y * often / thrice,
        ]
        if min(taken) > 0:
            return np.array([0.0, *taken])
    logger.warning(
        "too little text to estimate discounts of order %d; taking %s for counts of "
        "1, 2 and more",
        n,
        FALLBACK,
    )
    return np.array([0.0, *FALLBACK])


def _interpolate(
    level: _Level, counts: Ints, discounts: Floats, kept: Bools, lower: Floats
) -> tuple[Floats, Floats]:
    """Smooth one order.

    Args:
        level: Its n-grams.
        counts: Of each n-gram, adjusted.
        discounts: Of counts of 0, 1, 2, and 3 or more.
        kept: Which n-grams the model lists.
        lower: Probabilities of the order below.

    Returns:
        Probabilities of the n-grams, and of each context the weight of the order below.
    """
    taken = discounts[counts.clip(max=3)]
    left = np.where(kept, taken, counts)
    totals = np.bincount(level.context, weights=counts, minlength=len(lower))
    unused = np.bincount(level.context, weights=left, minlength=len(lower))
    # What nothing ever follows leaves all to the order below.
    gammas = np.where(totals > 0, unused / totals.clip(min=1), 1.0)
    # p(w | h) = (c(h w) - D(c)) / sum_v c(h v) + gamma(h) p(w | h'), h' being h without
    # its first token; gamma(h), what was taken from h's n-grams, makes the sum 1.
    direct = (counts - taken) / totals[level.context]
    return direct + gammas[level.context] * lower[level.suffix], gammas
