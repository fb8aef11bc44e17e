"""Whether two systems differ by more than chance, on the same utterances."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from asrkit.decoding.scoring.bootstrap import (
    DRAWS,
    Unit,
    draw_sums,
    percent_interval,
    sum_by_unit,
)
from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.scoring.score import Score, WordAlignment
from asrkit.utils.errors import InputError

SIGNIFICANT = 0.05
"""Below this p-value a difference counts as one."""

_SEED = 0
_LISTED = 5
_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Comparison:
    """How system B does against system A."""

    counted: ErrorUnit
    """What errors are counted in."""
    difference: float
    """Error rate of B minus that of A, percentage points; below 0, B is better."""
    ci95: tuple[float, float]
    """95 % interval of `difference`, by drawing pairs of results anew."""
    p_value: float
    """How often results dealt out to A and B by chance differ as much, two-sided."""
    unit: Unit
    """What was drawn and dealt out."""
    units: int
    fewer: int
    """Utterances in which B makes fewer errors."""
    more: int
    """Utterances in which B makes more errors."""
    equal: int
    """Utterances in which both make as many errors."""

    @property
    def significant(self) -> bool:
        """Whether chance is an unlikely explanation."""
        return self.p_value < SIGNIFICANT


def compare(a: Score, b: Score) -> Comparison:
    """Compare two systems that decoded the same set.

    Raises:
        InputError: Utterances or references are not the same in both.
    """
    _check_same(a, b)
    pairs = zip(a.alignments, b.alignments, strict=True)
    # Words of both: each counts those of the alternative that fits it best.
    counts = np.array(
        [(one.errors, two.errors, one.words, two.words) for one, two in pairs]
    )
    change = counts[:, 1] - counts[:, 0]
    speakers = [
        one.speaker if one.speaker is not None else two.speaker
        for one, two in zip(a.alignments, b.alignments, strict=True)
    ]
    sums, unit = sum_by_unit(counts, speakers)
    drawn = draw_sums(sums)
    return Comparison(
        counted=a.counted,
        difference=100.0 * (b.errors * a.words / b.words - a.errors) / a.words,
        ci95=percent_interval(
            drawn[:, 1] * drawn[:, 2] / np.maximum(drawn[:, 3], 1) - drawn[:, 0],
            drawn[:, 2],
            len(sums),
        ),
        p_value=swap_test(sums[:, 1] - sums[:, 0]),
        unit=unit,
        units=len(sums),
        fewer=int((change < 0).sum()),
        more=int((change > 0).sum()),
        equal=int((change == 0).sum()),
    )


def swap_test(change: np.ndarray, draws: int = DRAWS) -> float:
    """Return the p-value of a paired approximate randomization test.

    If the systems were the same, each unit's two results could as well have come the
    other way round. Swapping them at random is exact for any number of units, unlike
    a p-value read off the bootstrap (Riezler & Maxwell, ACL workshop 2005).

    Args:
        change: Errors of B minus errors of A per unit, (N,), int64.
        draws: How often all units are swapped or not.
    """
    sizes, units = np.unique(np.abs(change[change != 0]), return_counts=True)
    rng = np.random.default_rng(_SEED)
    block = max(1, _AT_ONCE // max(1, len(sizes)))
    as_large = 0
    for start in range(0, draws, block):
        shape = (min(block, draws - start), len(sizes))
        # Of the units that differ by so many errors, how many favour A; less the rest.
        balance = 2 * rng.binomial(units, 0.5, size=shape) - units
        as_large += int((np.abs(balance @ sizes) >= abs(change.sum())).sum())
    # What was observed is one of the possible swaps: a p-value is never 0 (Phipson and
    # Smyth, 2010).
    return (as_large + 1) / (draws + 1)


def comparison_line(name: str, a: str, b: str, result: Comparison) -> str:
    """Return the one line that says which of the systems `a` and `b` is better.

    Args:
        name: Test set.
        a: Name of the first system.
        b: Name of the second.
        result: How they compare.
    """
    if not result.significant:
        verdict = "no significant difference"
    else:
        verdict = f"{b if result.difference < 0 else a} is better"
    return (
        f"[{name}] {b} minus {a}: {result.difference:+.2f} % "
        f"{result.counted.rate} absolute, "
        f"95% CI [{result.ci95[0]:+.2f}, {result.ci95[1]:+.2f}], "
        f"p = {result.p_value:.4f} over {result.units} {result.unit.value}; "
        f"fewer errors in {result.fewer} utterances, more in {result.more}: {verdict}"
    )


def _check_same(a: Score, b: Score) -> None:
    if a.counted is not b.counted:
        raise InputError(
            f"the first system's {a.counted.plural} are counted and the second one's "
            f"{b.counted.plural}; score both with one --unit"
        )
    by_id = {one.id: one for one in b.alignments}
    lost = [one.id for one in a.alignments if one.id not in by_id]
    if lost:
        raise InputError(f"the second system lacks {_named(lost)} of the first")
    ours = {one.id for one in a.alignments}
    lost = [id_ for id_ in by_id if id_ not in ours]
    if lost:
        raise InputError(f"the first system lacks {_named(lost)} of the second")
    differing = _other_references(a.alignments, by_id)
    if differing:
        raise InputError(
            f"the systems were scored against different references in "
            f"{_named(differing)}; score both with one reference and one normalization"
        )


def _other_references(
    alignments: list[WordAlignment], others: Mapping[str, WordAlignment]
) -> list[str]:
    return [one.id for one in alignments if one.original != others[one.id].original]


def _named(ids: list[str]) -> str:
    listed = ", ".join(ids[:_LISTED])
    more = " and others" if len(ids) > _LISTED else ""
    return f"{len(ids)} utterances ({listed}{more})"
