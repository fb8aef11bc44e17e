"""Every number of a configuration is checked where its field stands."""

import ast
import dataclasses
import inspect
import re
import typing

import pytest

from asrkit.cli.training.train import main
from asrkit.decoding.ctc_beam import CtcBeamConfig
from asrkit.models.lm.lstm_lm import LstmLmConfig
from asrkit.pipeline.components import CLASSES
from asrkit.training.optimizers.optim import AdamWConfig
from asrkit.training.optimizers.schedule import ConstantConfig
from asrkit.utils.errors import InputError
from asrkit.utils.ranges import check_range
from tests.unit.pipeline.compose import make

ANY_NUMBER = {
    "blank_penalty",
    "delay_penalty",
    "high_freq",
    "noise_snr",
    "phrase_boost",
}
"""Fields of which every value makes sense."""
REQUIRED = {
    "LmConfig": {
        "model": LstmLmConfig(),
        "optim": AdamWConfig(),
        "schedule": ConstantConfig(),
    },
    "NBestStageConfig": {"search": CtcBeamConfig(nbest=4)},
    "PhoneTokenizerConfig": {"lexicon": "lexicon.txt"},
}
NUMBERS = (int, float)


def instance(cls):
    if cls.__name__ == "Config":
        return make()
    if cls.__name__ == "PipelineConfig":
        return make().pipeline
    return cls(**REQUIRED.get(cls.__name__, {}))


def documented(cls):
    """Return the text below each field, also of the classes above."""
    texts = {}
    for one in reversed(cls.__mro__[:-1]):
        (tree,) = ast.parse(inspect.getsource(one)).body
        for node, after in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(node, ast.AnnAssign) and isinstance(after, ast.Expr):
                texts[node.target.id] = ast.unparse(after)
    return texts


def numbers():
    """Yield class, field, whether it holds a list, and what is said of it."""
    for cls in CLASSES.values():
        if inspect.isabstract(cls):
            continue
        hints, texts = typing.get_type_hints(cls), documented(cls)
        for field in dataclasses.fields(cls):
            hint = hints[field.name]
            kinds = {hint, *typing.get_args(hint)}
            if kinds & set(NUMBERS) and hint != dict[str, float]:
                yield cls, field.name, list[float] == hint, texts[field.name]
            elif hint is typing.Any:  # a number or a word
                yield cls, field.name, False, texts[field.name]


ALL = [pytest.param(*one, id=f"{one[0].__name__}.{one[1]}") for one in numbers()]


@pytest.mark.parametrize(("cls", "name", "several", "text"), ALL)
def test_every_number_is_checked_or_may_be_anything(cls, name, several, text):
    def change(value):
        value = [value] * 2 if several else value
        return dataclasses.replace(instance(cls), **{name: value})

    if name in ANY_NUMBER:
        change(-7)
        return
    for absurd in (-7, float("nan")):
        with pytest.raises(ValueError, match=rf"{name}\b.*{absurd}"):
            change(absurd)
    if re.search(r"0 to 1|(?<!-)[Pp]robability", text):
        with pytest.raises(ValueError, match=name):
            change(2)


def test_there_are_as_many_numbers_as_one_thinks():
    assert len(ALL) > 150
    assert {one.values[1] for one in ALL} >= {"lr", "beam", "max_duration", *ANY_NUMBER}


def test_limits_belong_to_a_range_or_not():
    @dataclasses.dataclass
    class Numbers:
        x: float | None
        y: list[float]

    for limits, right, wrong in (
        ({"least": 1}, [1, 5], [0.9]),
        ({"above": 1}, [1.1], [1, 0]),
        ({"most": 1}, [1, -5], [1.1]),
        ({"below": 1}, [0.9], [1, 2]),
        ({"least": 0, "below": 1}, [0, 0.5], [-0.1, 1]),
    ):
        for value in right:
            check_range(Numbers(value, [value, value]), "g", "x", "y", **limits)
        for value in wrong:
            with pytest.raises(ValueError, match=rf"^g\.x must be .*, got {value}$"):
                check_range(Numbers(value, []), "g", "x", **limits)
            with pytest.raises(ValueError, match=r"^y must be"):
                check_range(Numbers(0, [right[0], value]), "", "y", **limits)
    check_range(Numbers(None, []), "g", "x", "y", above=0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.lr=-1", "optim.lr must be above 0, got -1"),
        ("num_updates=0", "num_updates must be at least 1, got 0"),
        ("num_epochs=0", "num_epochs must be above 0, got 0"),
        ("schedule.warmup=1", "schedule.warmup must be at least 0 and below 1, got 1"),
        ("encoder.dropout=2", "encoder.dropout must be at least 0 and below 1, got 2"),
        ("encoder.num_heads=0", "encoder.num_heads must be at least 1, got 0"),
        ("trainer.accumulate=0", "trainer.accumulate must be at least 1, got 0"),
        ("data.max_duration=0",
         "data.max_duration must be above 0 and below inf, got 0"),
        ("data.max_duration=car",
         "data.max_duration must be a number of seconds or auto, got 'car'"),
        ("augment.spec.max_time_share=3",
         "augment.spec.max_time_share must be at least 0 and at most 1, got 3"),
        ("pipeline.stages.train.set.trainer.clip_norm=-2",
         "pipeline.stages.train.set.trainer: trainer.clip_norm must be at least 0, "
         "got -2"),
        ("+schedule@pipeline.stages.train.set.schedule=eden "
         "pipeline.stages.train.set.schedule.epochs=0",
         "pipeline.stages.train.set.schedule: schedule.epochs must be above 0, got 0"),
        ("tokenizer.vocab_size=1", "tokenizer.vocab_size must be above 3, got 1"),
    ],
)  # fmt: skip
def test_a_user_reads_one_line_with_the_key(override, message, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", *override.split()])
    with pytest.raises(InputError) as caught:
        main()
    assert str(caught.value) == message
