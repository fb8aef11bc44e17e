"""The data report as a page of plain text, 80 columns wide."""

import textwrap
from collections.abc import Callable, Sequence
from itertools import pairwise

from asrkit.data.report.checks import Role
from asrkit.data.report.parts import PERCENTILES, Histogram, PartReport
from asrkit.text.tokenizer import SPECIAL_PIECES

_WIDTH = 80
_NAME_WIDTH = 16
_NUMBER_WIDTH = 6
_COLUMNS = {
    "part": f"<{_NAME_WIDTH + 1}",
    "role": "<5",
    "utterances": ">11",
    "left out": ">9",
    "hours": ">9",
    "speakers": ">9",
    "tokens": ">12",
    "pieces": ">8",
}
_BIN_WIDTH = 13
_BAR_WIDTH = 13
_EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]


def render_page(
    parts: Sequence[PartReport], warnings: Sequence[str], vocab_size: int
) -> str:
    """Return the page: tables of the parts, histograms, warnings."""
    rates = sorted({rate for part in parts for rate in part.sampling_rates})
    sections = [
        ["Data report", "=" * _WIDTH, *_part_table(parts)],
        [
            "left out: not used, see left_out.tsv; others: kept_with_problems.tsv",
            "pieces: share of the tokenizer's pieces that occur",
            *_coverage(parts, vocab_size),
            f"sampling rate: {', '.join(f'{rate} Hz' for rate in rates)}",
        ],
        _percentile_table(parts),
        _histograms("seconds", parts, lambda part: part.duration_histogram),
        _histograms("tokens / s", parts, lambda part: part.rate_histogram),
        _warning_list(warnings),
    ]
    lines = ["\n".join(lines) for lines in sections]
    return "\n\n".join(lines) + "\n"


def _part_table(parts: Sequence[PartReport]) -> list[str]:
    rows = [
        [
            _shorten(part.part),
            part.role.value,
            f"{part.utterances:,}",
            f"{part.left_out:,}",
            f"{part.hours:,.2f}",
            f"{part.speakers:,}" if part.speakers else "?",
            f"{part.tokens:,}",
            f"{100 * part.vocabulary_coverage:.0f} %",
        ]
        for part in parts
    ]
    return [_align(list(_COLUMNS)), *map(_align, rows)]


def _coverage(parts: Sequence[PartReport], vocab_size: int) -> list[str]:
    """Say how many characters there are, and what of them the tokenizer lacks."""
    roles = [role for role in Role if any(part.role is role for part in parts)]

    def count(sets_of: Callable[[PartReport], frozenset[str]]) -> str:
        found = {
            role: frozenset[str]().union(
                *(sets_of(part) for part in parts if part.role is role)
            )
            for role in roles
        }
        return ", ".join(f"{role.value} {len(one):,}" for role, one in found.items())

    return [
        f"tokenizer: {vocab_size:,} pieces, {len(SPECIAL_PIECES)} of them special",
        f"different characters: {count(lambda part: part.characters)}",
        f"unknown characters or words: {count(lambda part: part.lacking)}",
    ]


def _align(cells: Sequence[str]) -> str:
    formats = zip(cells, _COLUMNS.values(), strict=True)
    return "".join(format(cell, alignment) for cell, alignment in formats)


def _percentile_table(parts: Sequence[PartReport]) -> list[str]:
    names = {0: "min", 100: "max"}
    heads = "".join(
        f"{names.get(percent, f'{percent} %'):>{_NUMBER_WIDTH}}"
        for percent in PERCENTILES
    )
    rows = [
        _shorten(part.part).ljust(_NAME_WIDTH)
        + "".join(
            f"{value:>{_NUMBER_WIDTH}.1f}"
            for percentiles in (part.duration_percentiles, part.rate_percentiles)
            for value in percentiles.values()
        )
        for part in parts
    ]
    titles = f"{'seconds':>{len(heads)}}{'tokens / s':>{len(heads)}}"
    return [" " * _NAME_WIDTH + titles, " " * _NAME_WIDTH + heads * 2, *rows]


def _histograms(
    title: str,
    parts: Sequence[PartReport],
    histogram_of: Callable[[PartReport], Histogram],
) -> list[str]:
    """Draw the share of utterances in each bin, a column for each role."""
    columns = []
    for role in Role:
        counts = [histogram_of(part).counts for part in parts if part.role is role]
        if counts:
            pooled = [sum(bin_counts) for bin_counts in zip(*counts, strict=True)]
            shares = [count / sum(pooled) for count in pooled]
            columns.append((role.value, shares))
    largest = max(max(shares) for _, shares in columns)
    heads = "".join(f"{name:<{_BAR_WIDTH + 9}}" for name, _ in columns)
    lines = [f"{title:<{_BIN_WIDTH}}{heads}".rstrip()]
    for index, label in enumerate(_bin_labels(histogram_of(parts[0]).edges)):
        cells = [
            f"{_bar(shares[index] / largest):<{_BAR_WIDTH}}{100 * shares[index]:6.1f} %"
            for _, shares in columns
        ]
        lines.append(f"{label:<{_BIN_WIDTH}}{' '.join(cells)}")
    return lines


def _bin_labels(edges: Sequence[float]) -> list[str]:
    # As many decimals as the most precise edge has.
    decimals = max(len(f"{edge:.9f}".rstrip("0").partition(".")[2]) for edge in edges)
    texts = [f"{edge:.{decimals}f}" for edge in edges]
    inner = [f"{low} - {high}" for low, high in pairwise(texts)]
    return [f"< {texts[0]}", *inner, f">= {texts[-1]}"]


def _bar(share: float) -> str:
    whole, eighths = divmod(round(8 * _BAR_WIDTH * share), 8)
    return "█" * whole + _EIGHTHS[eighths]


def _warning_list(warnings: Sequence[str]) -> list[str]:
    if not warnings:
        return ["No warnings."]
    lines = [f"Warnings ({len(warnings)})"]
    for warning in warnings:
        lines += textwrap.wrap(
            warning,
            _WIDTH,
            initial_indent="! ",
            subsequent_indent="  ",
            break_on_hyphens=False,
        )
    return lines


def _shorten(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else name[: _NAME_WIDTH - 1] + "…"
