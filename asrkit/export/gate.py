"""What an export changes, in one table, and how much it may change."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from asrkit.export.parity import TOLERANCE

TOKENS = 0.001
"""Share of the model's tokens that files in float may find otherwise."""
POINTS = 0.2
"""Points of the error rate that 8 bits may add."""
FLOAT, INT8 = "float", "int8"
_SHOWN = 5  # differences in a message


@dataclass(frozen=True)
class Case:
    """An utterance in which a variant finds something else than the model."""

    id: str
    found: str
    """Its text."""
    model: str
    """The model's text."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to run the model, and what it finds in the utterances."""

    part: str
    """transducer, ctc, or streaming with its chunk."""
    engine: str
    """torch, onnxruntime or sherpa-onnx."""
    bits: str
    """float or int8."""
    difference: float | None
    """Largest difference of what the files give, relative to values above 1; None: not
    known, as sherpa-onnx shows no tensors."""
    tokens: int
    """Tokens that the model finds."""
    different: int
    """Tokens inserted, deleted or replaced against these."""
    moved: int
    """Tokens at another frame, in utterances whose tokens are the same."""
    rate: float
    """Error rate, percent."""
    rate_name: str
    """WER, or CER or MER."""
    size: int | None
    """Bytes of its files; None: it has none."""
    cases: list[Case] = field(default_factory=list)
    """Utterances with other tokens."""

    @property
    def name(self) -> str:
        """What tells it from the others."""
        return f"{self.part}, {self.engine}, {self.bits}"

    @property
    def share(self) -> float:
        """Share of different tokens."""
        return self.different / max(1, self.tokens)

    def as_plain(self) -> dict[str, Any]:
        """Return it for a JSON file."""
        plain = asdict(self)
        rate = {plain.pop("rate_name").lower(): plain.pop("rate")}
        return {**plain, **rate, "share": self.share}


def failures(variants: Sequence[Variant]) -> list[str]:
    """Say what is beyond the limits, a line each."""
    model = {one.part: one for one in variants if one.engine == "torch"}
    return [
        line for one in variants for line in _failures(one, model[one.part].rate)
    ]  # fmt: skip


def _failures(one: Variant, rate: float) -> Iterable[str]:
    if one.bits == INT8:
        if one.rate - rate > POINTS + 1e-9:
            yield (
                f"{one.name}: {one.rate_name} {one.rate:.2f} instead of {rate:.2f}, "
                f"{POINTS:g} points are allowed{_some(one.cases)}"
            )
        return
    if one.difference is not None and one.difference > TOLERANCE:
        yield (
            f"{one.name}: not equal to the model: values differ by "
            f"{one.difference:.2g}, {TOLERANCE:g} is allowed"
        )
    if one.share > TOKENS:
        yield (
            f"{one.name}: {one.different} of {one.tokens} tokens "
            f"({100 * one.share:.2g} %) are others, {100 * TOKENS:g} % is allowed"
            f"{_some(one.cases)}"
        )
    elif one.moved > TOKENS * one.tokens:
        yield (
            f"{one.name}: {one.moved} of {one.tokens} tokens are found at other times, "
            f"{100 * TOKENS:g} % is allowed"
        )


def _some(cases: Sequence[Case]) -> str:
    """Name utterances with both texts."""
    named = "; ".join(
        f"{one.id}: {one.found!r}, the model {one.model!r}" for one in cases[:_SHOWN]
    )
    more = len(cases) - _SHOWN
    return f": {named}{f' and {more} more' if more > 0 else ''}" if cases else ""


def table(variants: Sequence[Variant]) -> list[str]:
    """Return the lines of the table."""
    rate = variants[0].rate_name
    head = ("part", "engine", "bits", "difference", "tokens", "%", rate, "MB")
    rows = [head, *(_row(one) for one in variants)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < 3 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(one: Variant) -> tuple[str, ...]:
    return (
        one.part,
        one.engine,
        one.bits,
        "" if one.difference is None else f"{one.difference:.1e}",
        f"{one.different} of {one.tokens}",
        f"{100 * one.share:.2f}",
        f"{one.rate:.2f}",
        "" if one.size is None else f"{one.size / 1e6:.2f}",
    )
