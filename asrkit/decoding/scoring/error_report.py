"""The text of an errs file, laid out as icefall lays it out."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby

from asrkit.decoding.scoring.breakdown import count_pairs, word_errors
from asrkit.decoding.scoring.score import GAP, Score


def error_report(score: Score) -> Iterator[str]:
    """Return the lines of an errs file."""
    yield f"%{score.counted.rate} = {score.rate:.2f}"
    correct = score.words - score.dels - score.subs
    yield (
        f"Errors: {score.ins} insertions, {score.dels} deletions, "
        f"{score.subs} substitutions, over {score.words} reference "
        f"{score.counted.plural} ({correct} correct)"
    )
    yield (
        "Search below for sections starting with PER-UTT DETAILS:, "
        "SUBSTITUTIONS:, DELETIONS:, INSERTIONS:, PER-WORD STATS:"
    )
    yield ""
    yield "PER-UTT DETAILS: corr or (ref->hyp)  "
    for alignment in score.alignments:
        yield f"{alignment.id}:\t{_marked(alignment.pairs)}"
    pairs = count_pairs(score.alignments)
    yield from _errors_by_word(pairs)
    yield from _word_table(pairs)


def _marked(pairs: list[tuple[str, str]]) -> str:
    """Return words as they are where right; neighbouring errors as one (ref->hyp)."""
    parts: list[str] = []
    for right, run in groupby(pairs, key=lambda pair: pair[0] == pair[1]):
        refs, hyps = zip(*run, strict=True)
        if right:
            parts += refs
        else:
            parts.append(f"({_joined(refs)}->{_joined(hyps)})")
    return " ".join(parts)


def _joined(words: tuple[str, ...]) -> str:
    return " ".join(word for word in words if word != GAP) or "*"


def _errors_by_word(pairs: Counter[tuple[str, str]]) -> Iterator[str]:
    """Return the three sections that list errors, the most frequent first."""
    errors = word_errors(pairs)
    subs = {f"{ref} -> {hyp}": count for (ref, hyp), count in errors.subs.items()}
    for title, counts in (
        ("SUBSTITUTIONS: count ref -> hyp", subs),
        ("DELETIONS: count ref", errors.dels),
        ("INSERTIONS: count hyp", errors.ins),
    ):
        yield ""
        yield title
        ranked = sorted(((n, text) for text, n in counts.items()), reverse=True)
        yield from (f"{count}   {text}" for count, text in ranked)


def _word_table(pairs: Counter[tuple[str, str]]) -> Iterator[str]:
    """Return each word's counts, the word with the most errors first."""
    in_ref: Counter[str] = Counter()
    in_hyp: Counter[str] = Counter()
    correct: Counter[str] = Counter()
    for (ref, hyp), count in pairs.items():
        in_ref[ref] += count
        in_hyp[hyp] += count
        if ref == hyp:
            correct[ref] += count
    rows = [
        (in_ref[word] + in_hyp[word] - 2 * correct[word], word)
        for word in in_ref | in_hyp
        if word != GAP
    ]
    yield ""
    yield "PER-WORD STATS: word  corr tot_errs count_in_ref count_in_hyp"
    for errors, word in sorted(rows, reverse=True):
        yield f"{word}   {correct[word]} {errors} {in_ref[word]} {in_hyp[word]}"
