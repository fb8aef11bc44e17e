"""Config objects as plain values, and with some keys changed."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pytest
import yaml

from asrkit.utils.errors import InputError
from asrkit.utils.plain import change, classes_of, from_plain, to_plain


class Kind(str, Enum):
    ONE = "first"
    TWO = "second"


@dataclass(kw_only=True)
class Part:
    size: int = 1


@dataclass(kw_only=True)
class Large(Part):
    rate: float = 0.5

    def __post_init__(self):
        if self.rate < 0:
            raise ValueError("rate is negative")


@dataclass(kw_only=True)
class Whole:
    part: Part
    kind: Kind = Kind.ONE
    limit: int | None = None
    names: list[str] = field(default_factory=list)
    weights: dict[str, float] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    flag: bool = False
    free: Any = None


CLASSES = classes_of([Whole, Large])
WHOLE = Whole(
    part=Large(rate=2.0), kind=Kind.TWO, names=["a"], weights={"x": 1.0},
    parts={"p": Part(), "q": Large(size=3)}, free={"inner": Large()},
)  # fmt: skip


def test_fields_lead_to_the_classes_below():
    assert set(classes_of([Whole])) == {"Whole", "Part"}
    assert set(CLASSES) == {"Whole", "Part", "Large"}


def test_what_is_written_is_read_again():
    written = yaml.safe_load(yaml.safe_dump(to_plain(WHOLE)))
    assert written["kind"] == "TWO"
    assert written["parts"]["q"] == {"class": "Large", "size": 3, "rate": 0.5}
    read = from_plain(written, CLASSES)
    assert read == WHOLE
    assert type(read.kind) is Kind


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kindd": "ONE"}, r"kindd \(Whole\): no 'kindd' here. Did you mean 'kind'"),
        ({"kind": "THREE"}, "kind=THREE: one of ONE, TWO is wanted"),
        ({"kind": "first"}, "kind=first: one of ONE, TWO is wanted"),
        ({"limit": "many"}, "limit=many: a whole number is wanted"),
        ({"limit": 1.5}, r"limit=1\.5: a whole number is wanted"),
        ({"limit": True}, "limit=True: a whole number is wanted"),
        ({"flag": 1}, "flag=1: true or false is wanted"),
        ({"flag": None}, "flag=None: true or false is wanted"),
        ({"names": "a"}, "names=a: list is wanted"),
        ({"names": ["a", 1]}, r"names\[1\]=1: text is wanted"),
        ({"weights": {"x": "1"}}, r"weights\.x=1: a number is wanted"),
        ({"part": {"class": "Gone"}}, "names 'Gone', which this version"),
        (
            {"part": {"class": "Whole", "part": None}},
            "part=None: a component .Part",
        ),
        ({"part": 3}, "part=3: a component .Part., chosen"),
        ({"part": {"class": "Large", "rate": -1}}, "Large: rate is negative"),
    ],
)
def test_what_does_not_fit_is_named(changed, message):
    with pytest.raises(InputError, match=message):
        from_plain({**to_plain(WHOLE), **changed}, CLASSES)


def test_a_missing_key_is_named():
    with pytest.raises(InputError, match=r"Whole: .*'part'"):
        from_plain({"class": "Whole"}, CLASSES)


def test_some_keys_change_and_the_rest_stays():
    delta = {"part": {"rate": 3}, "kind": "ONE", "limit": 7, "weights": {"y": 2}}
    changed = change(WHOLE, delta, "set")
    assert changed.part == Large(rate=3.0)
    assert type(changed.part.rate) is float
    assert (changed.kind, changed.limit) == (Kind.ONE, 7)
    assert changed.weights == {"x": 1.0, "y": 2.0}
    assert changed.parts == WHOLE.parts
    assert WHOLE.part.rate == 2.0  # it is another object
    other = change(WHOLE, {"part": Part(size=9), "parts": {"q": Part()}}, "set")
    assert other.part == Part(size=9)
    assert other.parts == {"p": Part(), "q": Part()}


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"prt": {}}, r"set\.prt \(Whole\): no 'prt' here. Did you mean 'part'"),
        ({"part": {"rat": 1}}, r"set\.part\.rat \(Large\): .*Did you mean 'rate'"),
        ({"part": {"rate": "fast"}}, r"set\.part\.rate=fast: a number is wanted"),
        ({"part": {"rate": -1}}, r"set\.part: rate is negative"),
        ({"part": Whole(part=Part())}, r"set\.part=.*: a component .Part., chosen"),
        ({"limit": {"x": 1}}, r"set\.limit=.*: a whole number is wanted"),
        ({"part.rate": 1}, r"no 'part\.rate' here"),
    ],
)
def test_a_change_that_does_not_fit_is_named(delta, message):
    with pytest.raises(InputError, match=message):
        change(WHOLE, delta, "set")
