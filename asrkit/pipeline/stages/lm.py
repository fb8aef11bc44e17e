"""The stage that trains a language model over the recognizer's tokens."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch

from asrkit.data.batches.plan import Position
from asrkit.data.corpora.manifests import load_cuts, manifest_path
from asrkit.data.text.batches import (
    TextBatch,
    plan_text,
    text_batches,
    text_batches_once,
)
from asrkit.data.text.store import TextStore, open_text, store_text
from asrkit.models.lm.language_model import LanguageModelConfig
from asrkit.pipeline.decode.recognizer import describe
from asrkit.pipeline.experiment import lm_folder
from asrkit.pipeline.stage import StageConfig
from asrkit.pipeline.stages.results import run_to_end
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.pipeline.stages.train import describe_run
from asrkit.pipeline.tasks.lm_task import LmTask, LmValidation, summarize
from asrkit.training.distributed import World
from asrkit.training.length import Length
from asrkit.training.optimizers.optim import OptimConfig
from asrkit.training.optimizers.schedule import ScheduleConfig
from asrkit.training.selection import Selection
from asrkit.training.trainer import Trainer
from asrkit.utils.errors import InputError
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class LmConfig(StageConfig):
    """A language model, its text and its training."""

    takes_corpus: ClassVar[bool] = False

    name: str = "lm"
    """Its folder is exp_dir/lm_NAME."""
    model: LanguageModelConfig
    """Network."""
    optim: OptimConfig
    """Optimizer."""
    schedule: ScheduleConfig
    """Learning rate over time."""
    text: list[str] = field(default_factory=list)
    """Text files, a sentence a line; .gz is unpacked, of .jsonl.gz (a manifest) the
    transcripts are taken."""
    transcripts: bool = True
    """Learn from the transcripts of data.train, too."""
    max_sentence: int = 1000
    """Sentences of more tokens are left out."""
    max_tokens: int = 1000
    """Most tokens in a batch of one process, padding included."""
    num_epochs: float = 20.0
    """Length, passes over the text."""
    num_updates: int | None = None
    """Stop after so many updates instead."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_range(self, "lm", "max_sentence", "max_tokens", "num_updates", least=1)
        check_range(self, "lm", "num_epochs", above=0)
        if not self.text and not self.transcripts:
            raise ValueError("lm.text is empty and lm.transcripts=false: no text left")

    def matters(self, plain: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a language model depends on: not what its recognizer is like."""
        [own] = plain["pipeline"]["stages"].values()
        kept = {key: plain[key] for key in ("tokenizer", "trainer", "exp_dir", "seed")}
        data = ("manifests", "lang_dir", "train", "dev")
        return {"lm": own, **kept, "data": {key: plain["data"][key] for key in data}}

    def check(self, run: StageRun) -> None:
        """Check the stage's name: a recognizer's checkpoints are not looked for there.

        Raises:
            InputError: It is another one.
        """
        name = lm_folder(run.exp_dir, self.name).name
        if run.folder.name != name:
            raise InputError(
                f"pipeline.stages.{run.folder.name} is a language model called "
                f"{self.name!r}: call the stage {name}"
            )

    def run(self, run: StageRun) -> None:
        """Train to the end."""
        task = build_lm_task(run, self)
        train, dev = open_texts(run, self)
        trainer = build_lm_trainer(run, self, task, train=train, dev=dev)
        describe_run(task.model, run.world)
        run_to_end(trainer, run.folder)


def build_lm_task(run: StageRun, lm: LmConfig) -> LmTask:
    """Make the model with random weights that depend on the seed alone."""
    torch.manual_seed(run.config.seed)
    task = LmTask(lm.model.build(run.tokenizer.vocab_size))
    # From here on the ranks' dropout differs.
    torch.manual_seed(run.config.seed + 1 + run.world.rank)
    return task.to(run.world.device)


def open_texts(run: StageRun, lm: LmConfig) -> tuple[TextStore, TextStore]:
    """Open the text to learn from and the transcripts of dev, encoded by rank 0."""
    data, files = run.config.data, [Path(path) for path in lm.text]
    manifests = Path(data.manifests)
    train = files + (transcripts(manifests, data.train) if lm.transcripts else [])
    dev = transcripts(manifests, data.dev)
    folders: list[Path] = []
    if run.world.is_main:
        folders = [
            store_text(
                paths,
                run.tokenizer,
                manifests.parent,
                max_tokens=lm.max_sentence,
                num_workers=data.num_workers,
            )
            for paths in (train, dev)
        ]
    folders = run.world.gather(folders)[0]
    return open_text(folders[0], run.tokenizer), open_text(folders[1], run.tokenizer)


def transcripts(folder: Path, parts: list[str]) -> list[Path]:
    """Return the manifests of parts."""
    for part in parts:
        load_cuts(folder, part)  # says which parts there are if this one is not
    return [manifest_path(folder, part) for part in parts]


def build_lm_trainer(
    run: StageRun, lm: LmConfig, task: LmTask, *, train: TextStore, dev: TextStore
) -> Trainer:
    """Put a trainer together."""
    world = run.world
    dev_batches = partial(
        text_batches_once,
        dev,
        max_tokens=lm.max_tokens,
        rank=world.rank,
        world_size=world.size,
    )
    return Trainer(
        task,
        lm.optim.build(task),
        factor=lm.schedule.factor,
        batches=LmBatches(train, lm.max_tokens, run.config.seed, world),
        length=Length(lm.num_epochs, lm.num_updates),
        validate=LmValidation(
            batches=dev_batches,
            words=dev.counts.words + dev.counts.sentences,
            world=world,
        ),
        selection=Selection("perplexity"),
        summarize=summarize,
        headline=["perplexity", "learning_rate", "tokens_per_second"],
        description=describe(run.plain, run.tokenizer),
        announce=lambda moment: None,
        folder=run.folder,
        world=world,
        config=run.config.trainer,
    )


@dataclass
class LmBatches:
    """Opens the endless training batches of this process."""

    store: TextStore
    max_tokens: int
    seed: int
    world: World

    def __call__(
        self, position: Mapping[str, float] | None
    ) -> Iterator[tuple[TextBatch, Position]]:
        """Yield batches after `position`."""
        plan = plan_text(
            self.store.lengths,
            max_tokens=self.max_tokens,
            seed=self.seed,
            rank=self.world.rank,
            world_size=self.world.size,
        )
        return text_batches(self.store, plan, position)
