"""A set's errors as text tables, for the terminal."""

from collections.abc import Iterator, Sequence

from asrkit.decoding.scoring.breakdown import (
    Aspect,
    Group,
    count_pairs,
    group_by,
    word_errors,
)
from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.scoring.score import Score


def summary_line(score: Score) -> str:
    """Return what the log line does not say."""
    characters = "" if score.cer is None else f"CER {score.cer:.2f} %, "
    return (
        f"{characters}{score.empty} of {score.utterances} hypotheses empty, "
        f"interval over {score.unit.value}"
    )


def detail_lines(score: Score, most: int = 10) -> Iterator[str]:
    """Return tables of the groups and of the most frequent errors.

    Args:
        score: The errors of a set.
        most: How many errors of a kind to list, and how many speakers.
    """
    titles = {
        Aspect.SPEAKER: "speaker",
        Aspect.DURATION: "duration",
        Aspect.RATE: f"{score.counted.plural}/second",
        Aspect.WORDS: score.counted.plural,
    }
    for aspect, title in titles.items():
        groups = group_by(score, aspect)
        if aspect is Aspect.SPEAKER and len(groups) > most:
            groups = sorted(groups, key=lambda one: -(one.rate or 0.0))[:most]
            title += " (worst)"
        if groups:
            yield ""
            yield from group_table(title, groups, score.counted)
    errors = word_errors(count_pairs(score.alignments))
    subs = [(f"{ref} -> {hyp}", n) for (ref, hyp), n in errors.subs.most_common(most)]
    for title, counts in (
        ("substitutions", subs),
        ("deletions", errors.dels.most_common(most)),
        ("insertions", errors.ins.most_common(most)),
    ):
        if counts:
            yield ""
            yield f"most frequent {title}"
            yield from (f"{count:7d}  {text}" for text, count in counts)


def group_table(
    title: str, groups: Sequence[Group], counted: ErrorUnit
) -> Iterator[str]:
    """Return the lines of a table with a row a group."""
    width = max(len(title), *(len(group.name) for group in groups))
    wide = max(8, len(counted.plural))
    yield (
        f"{title:<{width}}  {f'{counted.rate} %':>7}  {'utts':>7}  "
        f"{counted.plural:>{wide}}  "
        f"{'ins':>6}  {'del':>6}  {'sub':>6}"
    )
    for one in groups:
        rate = "-" if one.rate is None else f"{one.rate:.2f}"
        yield (
            f"{one.name:<{width}}  {rate:>7}  {one.utterances:>7}  "
            f"{one.words:>{wide}}  "
            f"{one.ins:>6}  {one.dels:>6}  {one.subs:>6}"
        )
