"""Stages: a training run, or a step of one, as data."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from asrkit.decoding.scoring.error_unit import ERROR_RATES
from asrkit.utils.ranges import check_range

if TYPE_CHECKING:  # both hold stages
    from asrkit.pipeline.config import Config
    from asrkit.pipeline.stages.stage_run import StageRun


def is_path(source: str) -> bool:
    """Say whether a source is a path: a checkpoint (*.pt), or one with a slash."""
    return "/" in source or source.endswith(".pt")


@dataclass(kw_only=True)
class OnlyIfConfig:
    """What an earlier stage has to have reached, so that a stage is worth its time."""

    stage: str | None = None
    """That one; null: the stage is run whatever was reached."""
    error_rate: float = 100.0
    """Its best error rate on dev, in the unit of decode.unit, percent, at most."""

    def __post_init__(self) -> None:
        """Check the number."""
        check_range(self, "only_if", "error_rate", least=0)


@dataclass(kw_only=True)
class StageConfig:
    """Base class of the kinds of stage: what one takes, and how it runs."""

    trains: ClassVar[bool] = False
    """Whether it trains the recognizer."""
    takes_corpus: ClassVar[bool] = True
    """Whether it takes the utterances of the run."""

    set: dict[str, Any] = field(default_factory=dict)
    """What is other than in the rest of the configuration, by the keys that it has
    there, e.g. {optim: {lr: 1e-4}, data: {max_duration: 100}}."""
    only_if: OnlyIfConfig = field(default_factory=OnlyIfConfig)
    """Leaves the stage out where the model is not good enough for it."""

    def needs(self) -> list[str]:
        """Name the stages whose results this one takes."""
        return []

    def rest_of(self) -> list[str]:
        """Name the stages whose unspent budget this one spends."""
        return []

    def view(self, config: "Config") -> "Config":
        """Return the configuration as this stage takes it; `set` is in it already."""
        return config

    def selecting(self, error_rate: str) -> "StageConfig":
        """Return the stage, going by the error rate of that name unless it has said.

        Args:
            error_rate: wer, cer or mer.
        """
        return self

    def matters(self, plain: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the stage depends on, of its configuration as plain values."""
        keys = ("data", "tokenizer", "features", "pipeline", "exp_dir", "seed")
        return {key: plain[key] for key in keys}

    def check(self, run: "StageRun") -> None:
        """Find mistakes before the first stage of a run begins; there is no corpus yet.

        Raises:
            InputError: Something in the configuration is wrong.
        """

    @abstractmethod
    def run(self, run: "StageRun") -> None:
        """Do the work, or what is left of it, and leave the file `done`.

        Raises:
            InputError: Something in configuration or data is wrong.
        """


@dataclass(kw_only=True)
class PipelineConfig:
    """Stages and their order."""

    stages: dict[str, StageConfig] = field(default_factory=dict)
    """By name; a stage's folder is exp_dir/NAME."""
    order: list[str] = field(default_factory=list)
    """Names of the stages to run, the first first."""

    def __post_init__(self) -> None:
        """Check the order against the stages."""
        for name in self.order:
            if name not in self.stages:
                raise ValueError(
                    f"pipeline.order names {name!r}, but pipeline.stages has "
                    f"{', '.join(self.stages) or 'none'}"
                )
        if not self.order:
            raise ValueError("pipeline.order is empty: name at least one stage")
        self._check_rests()
        self._check_conditions()

    def _check_rests(self) -> None:
        """Check that what is left of a budget is there, and is spent once."""
        takers: dict[str, str] = {}
        for name in self.order:
            for source in self.stages[name].rest_of():
                if source in takers:
                    raise ValueError(
                        f"the stages {takers[source]} and {name} both take the rest of "
                        f"{source!r}: it can be spent once"
                    )
                if source in self.stages and not self.stages[source].trains:
                    raise ValueError(
                        f"stage {name} takes the rest of {source!r}, which does not "
                        "train and so leaves none"
                    )
                takers[source] = name

    def _check_conditions(self) -> None:
        """Check that the stages that others go by end with an error rate on dev."""
        for name in self.order:
            source = self.stages[name].only_if.stage
            if source not in self.stages:  # it was run before
                continue
            trained = self.stages[source]
            if getattr(trained, "select", "") not in (None, *ERROR_RATES):
                raise ValueError(
                    f"pipeline.stages.{name}.only_if.stage: {source!r} ends without an "
                    "error rate on dev; name a stage that trains with select=null, or "
                    "null"
                )

    def selecting(self, error_rate: str) -> "PipelineConfig":
        """Return the pipeline, its stages going by the error rate of that name."""
        stages = {name: one.selecting(error_rate) for name, one in self.stages.items()}
        return replace(self, stages=stages)

    def training(self) -> list[str]:
        """Name the stages that train the recognizer, in their order."""
        return [name for name in self.order if self.stages[name].trains]
