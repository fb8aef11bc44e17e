"""A stage that trains: the one place where configs become objects that train."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from lhotse import CutSet
from torch import nn

from asrkit.data.attached.alignments import AttachAlignments
from asrkit.data.attached.nbest_lists import AttachNBest
from asrkit.data.batches.cuts import plan_once
from asrkit.data.batches.loader import Attach
from asrkit.data.features.augment import AugmentConfig
from asrkit.data.features.chunks import ChunkConfig
from asrkit.data.left_out import LeftOutList
from asrkit.losses.exact import OF_JUMPS, summarize_jumps
from asrkit.pipeline.config import Config
from asrkit.pipeline.decode.choose_search import list_search, validation_search
from asrkit.pipeline.decode.recognizer import describe
from asrkit.pipeline.stage import StageConfig, is_path
from asrkit.pipeline.stages.budget import length_of
from asrkit.pipeline.stages.initialization import InitConfig, initialize
from asrkit.pipeline.stages.preparation import With
from asrkit.pipeline.stages.results import (
    ALIGNMENTS,
    NBEST,
    result_folder,
    run_to_end,
)
from asrkit.pipeline.stages.stage_run import Corpus, StageRun
from asrkit.pipeline.tasks.asr_task import AsrTask
from asrkit.pipeline.tasks.batches import (
    DevBatches,
    EncoderFrames,
    TrainBatches,
    read_once,
)
from asrkit.pipeline.tasks.moved_labels import LABELS_MOVED, MovedLabels
from asrkit.pipeline.tasks.validation import Validation, scalar_names
from asrkit.training.checkpoints.checkpoint import has_begun
from asrkit.training.distributed import World
from asrkit.training.selection import Selection
from asrkit.training.trainer import Trainer
from asrkit.training.until import UntilConfig
from asrkit.utils.errors import InputError, unknown_key
from asrkit.utils.ranges import check_range

logger = logging.getLogger(__name__)

_STATISTICS_UTTERANCES = 1000
_EXAMPLES = 5
_OF_FRAMES = {"frames_right": "frames_right_share"}


@dataclass(kw_only=True)
class TrainStageConfig(StageConfig):
    """Trains the model with one criterion."""

    trains: ClassVar[bool] = True

    lr_scale: float = 1.0
    """Factor on all learning rates, e.g. of a stage that goes on gently."""
    init: InitConfig = field(default_factory=InitConfig)
    """Where the weights come from."""
    freeze: list[str] = field(default_factory=list)
    """Parameters not to train: names below the model (encoder, encoder.blocks.0) or
    patterns of them (*norm*)."""
    alignments: str | None = None
    """Stage that aligned the data, or a folder of alignments (with a slash)."""
    chunks: ChunkConfig | None = None
    """Train on pieces of this size instead of whole utterances; needs `alignments`."""
    nbest: str | None = None
    """Stage that made lists of hypotheses, or a folder of them (with a slash)."""
    select: str | None = None
    """Scalar of validation that picks the best checkpoint (the lowest wins); null: the
    error rate, wer, cer or mer, as decode.unit has it."""
    never_worse: bool = False
    """Validate before the first update, too: where nothing later is as good on dev, the
    best checkpoint holds the weights that the stage has begun with."""
    until: UntilConfig = field(default_factory=UntilConfig)
    """Ends the stage at a validation before its budget (num_updates or num_epochs) is
    spent."""
    takes_rest_of: list[str] = field(default_factory=list)
    """Earlier stages with `until`: this one's budget is longer by what they have left
    of theirs."""

    def __post_init__(self) -> None:
        """Check the numbers and the view of the data."""
        check_range(self, "", "lr_scale", above=0)
        if self.chunks is not None and self.alignments is None:
            raise ValueError("chunks: pieces of utterances need alignments, set it")
        if self.never_worse and not (self.init.stage or self.init.path):
            raise ValueError(
                "never_worse: the stage begins with random weights, which are no "
                "candidate; give init a stage or a path"
            )

    def needs(self) -> list[str]:
        """Name the stages whose results this one takes."""
        names = [self.init.stage, self.alignments, self.nbest, *self.takes_rest_of]
        return [name for name in names if name and not is_path(name)]

    def rest_of(self) -> list[str]:
        """Name the stages whose unspent budget this one spends."""
        return self.takes_rest_of

    def view(self, config: Config) -> Config:
        """Leave the time axis as it was aligned."""
        if self.alignments is None:
            return config
        augment = without_warping(config.augment, config.data.stored_features)
        return replace(config, augment=augment)

    def selecting(self, error_rate: str) -> "TrainStageConfig":
        """Return the stage with a scalar that picks the best checkpoint."""
        return replace(self, select=self.select or error_rate)

    def matters(self, plain: Mapping[str, Any]) -> dict[str, Any]:
        """Return all but the language model."""
        return {key: value for key, value in plain.items() if key != "lm"}

    def check(self, run: StageRun) -> None:
        """Look for what the loss needs; build what is trained."""
        check_data(run)
        check_scalars(run)
        build_task(run)

    def run(self, run: StageRun) -> None:
        """Train to the end."""
        from asrkit.pipeline.memory.auto import decide_max_duration  # it builds tasks

        run = decide_max_duration(run)
        task = build_task(run)
        if not has_begun(run.folder):  # else all weights come from its checkpoint
            initialized = initialize(task.model, self.init, run.exp_dir)
            if not initialized:
                set_feature_statistics(task, run)
        trainer = build_trainer(run, task)
        describe_run(task.model, run.world)
        run_to_end(trainer, run.folder)


def train_config(run: StageRun) -> TrainStageConfig:
    """Return the stage's configuration."""
    assert isinstance(run.stage, TrainStageConfig)
    return run.stage


def selected(stage: TrainStageConfig) -> str:
    """Name the scalar that picks the best checkpoint."""
    assert stage.select is not None, "Config names the error rate"
    return stage.select


def without_warping(augment: AugmentConfig, stored_features: bool) -> AugmentConfig:
    """Return an augmentation that leaves the time axis as it was aligned.

    Stored copies of other speeds have alignments of their own.
    """
    wave = augment.wave if stored_features else replace(augment.wave, speeds=[1.0])
    return replace(augment, wave=wave, spec=replace(augment.spec, time_warp=0))


def build_task(run: StageRun) -> AsrTask:
    """Make model and criterion with random weights that depend on the seed alone."""
    config, stage = run.config, train_config(run)
    torch.manual_seed(config.seed)
    model = config.model.build(config.features.num_bins, run.tokenizer.vocab_size)
    criterion = config.loss.build(model)
    if config.loss.search_beam:
        criterion.take_search(list_search(config.loss))
    chunks = stage.chunks
    task = AsrTask(
        model,
        criterion,
        config.features.build(),
        config.augment.spec.build(criterion.views),
        freeze=stage.freeze,
        chunker=None
        if chunks is None
        else chunks.build(
            model.predictor.context_size,
            config.encoder.subsampling,
            config.encoder.output_lens,
        ),
        loss_name=config.loss.name,
    )
    # From here on the ranks' dropout and augmentation differ.
    torch.manual_seed(config.seed + 1 + run.world.rank)
    return task.to(run.world.device)


def check_data(run: StageRun) -> None:
    """Check that the stage names what its loss needs besides audio and text.

    Raises:
        InputError: It does not.
    """
    for need in run.config.loss.needs:
        if getattr(run.stage, need) is None:
            raise InputError(
                f"stage {run.folder.name}: loss={run.config.loss.name} trains on "
                f"{need}, but the stage names none: set its {need} to a stage that "
                "makes them, or to a folder of them"
            )


def check_scalars(run: StageRun) -> None:
    """Check that validation finds what the stage goes by.

    Raises:
        InputError: It does not.
    """
    stage = train_config(run)
    found = scalar_names(run.config.loss, run.config.decode.unit)
    wanted = [("select", selected(stage), found)]
    if stage.until.scalar is not None:
        more = [LABELS_MOVED] if "ctc" in run.config.loss.trained else []
        wanted.append(("until.scalar", stage.until.scalar, [*found, *more]))
    for key, scalar, known in wanted:
        if scalar not in known:
            raise InputError(
                f"stage {run.folder.name}: {key}: {unknown_key(scalar, known)}"
            )


def build_trainer(run: StageRun, task: AsrTask) -> Trainer:
    """Put a trainer together."""
    config, stage = run.config, train_config(run)
    attach = attachments(run)
    corpus = usable(run, attach)
    moved = MovedLabels() if stage.until.scalar == LABELS_MOVED else None
    batches = TrainBatches(config, corpus.train, run.tokenizer, run.world, attach)
    return Trainer(
        task,
        config.optim.build(task),
        factor=lambda progress: stage.lr_scale * config.schedule.factor(progress),
        batches=batches,
        length=length_of(run, stage.takes_rest_of),
        validate=Validation(
            batches=DevBatches(config, corpus.dev, run.tokenizer, run.world, attach),
            search=validation_search(config.decode, config.loss, config.joiner).build(),
            tokenizer=run.tokenizer,
            unit=config.decode.unit,
            world=run.world,
            moved=moved,
        ),
        selection=Selection(selected(stage), stage.never_worse),
        summarize=summarize,
        headline=["loss_per_token", "learning_rate", "audio_hours_per_hour"],
        description=describe(run.plain, run.tokenizer),
        announce=task.criterion.announce,
        folder=run.folder,
        world=run.world,
        config=config.trainer,
        until=stage.until.build(moved),
        apart=task.apart,
        readings=batches.left_out,
        memory_limit_gb=run.memory_limit_gb,
    )


def attachments(run: StageRun) -> list[Attach]:
    """Open what the stage's batches carry besides audio and text."""
    stage = train_config(run)
    V = run.tokenizer.vocab_size
    attach: list[Attach] = []
    if stage.alignments is not None:
        folder = result_folder(run.exp_dir, stage.alignments, ALIGNMENTS)
        rate, encoder = run.config.features.sampling_rate, run.config.encoder
        frames_of = EncoderFrames(rate, encoder.output_lens)
        attach.append(AttachAlignments(folder, frames_of, V))
    if stage.nbest is not None:
        folder = result_folder(run.exp_dir, stage.nbest, NBEST)
        attach.append(AttachNBest(folder, V))
    return attach


def usable(run: StageRun, attach: Sequence[Attach]) -> Corpus:
    """Return the utterances that have all that the stage needs; list the others."""
    limit = run.config.data.max_seconds
    if limit >= run.corpus.max_seconds:
        limit = math.inf
    train = _pick(run, "train", run.corpus.train, attach, limit)
    return Corpus(train, _pick(run, "dev", run.corpus.dev, attach, math.inf), limit)


def _pick(
    run: StageRun,
    part: str,
    cuts: CutSet,
    attach: Sequence[Attach],
    limit: float,
) -> CutSet:
    if not attach and limit == math.inf:
        return cuts
    kept: set[str] = set()
    lacking, longer = [], []
    for cut in cuts:
        if cut.duration > limit:
            longer.append(cut.id)
        elif all(cut.id in one for one in attach):
            kept.add(cut.id)
        else:
            lacking.append(cut.id)
    if not kept:
        raise InputError(
            f"stage {run.folder.name}: no {part} utterance is left; {len(longer)} are "
            f"longer than max_seconds, and of {len(lacking)} an earlier stage made "
            "nothing"
        )
    for ids, why in (
        (longer, f"longer than {limit:g} s"),
        (lacking, "an earlier stage has nothing for them"),
    ):
        if ids and run.world.is_main:
            some = ", ".join(ids[:_EXAMPLES]) + (", ..." if ids[_EXAMPLES:] else "")
            logger.info("left out %d of %s, %s: %s", len(ids), part, why, some)
    return cuts.filter(With(kept))


@torch.no_grad()
def set_feature_statistics(task: AsrTask, run: StageRun) -> None:
    """Set the model's feature statistics from the first training utterances."""
    device = run.world.device
    count, total, squares = 0, *torch.zeros(2, device=device)
    first = run.corpus.train.subset(first=_STATISTICS_UTTERANCES)
    planned = plan_once(first, max_duration=300.0)
    left_out = LeftOutList(max_share=1.0)  # training lists them anew
    for batch in read_once(run.config, planned, run.tokenizer, left_out):
        batch = batch.to(device)
        feats, lens = batch.features(task.features)
        frames = feats[torch.arange(feats.shape[1], device=device) < lens[:, None]]
        count += len(frames)
        total = total + frames.double().sum(dim=0)
        squares = squares + frames.double().square().sum(dim=0)
    if not count:
        raise InputError(
            f"none of the first {_STATISTICS_UTTERANCES} training utterances can be "
            "read; is the disk there?"
        )
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0.0).sqrt()
    task.model.set_feature_statistics(mean.float(), std.float())


def summarize(sums: Mapping[str, float]) -> dict[str, float]:
    """Turn a recognizer's summed stats into what one wants to see."""
    scalars: dict[str, Any] = {"seconds": sums["wall_seconds"]}
    if not sums.get("updates"):
        return scalars
    tokens, frames = max(sums["tokens"], 1.0), sums["frames"]
    known = {"tokens", "frames", "updates", "utterances", "audio_seconds"}
    known |= {"gradient_norm", "wall_seconds", "without_path", *_OF_FRAMES, *OF_JUMPS}
    for name, value in sums.items():
        if name not in known:
            scalars[f"{name}_per_token"] = value / tokens
            scalars[f"{name}_per_frame"] = value / frames
    for name, scalar in _OF_FRAMES.items():
        if name in sums:
            scalars[scalar] = sums[name] / frames
    scalars |= summarize_jumps(sums)
    if "without_path" in sums:
        scalars["utterances_without_path"] = sums["without_path"]
    scalars["gradient_norm"] = sums["gradient_norm"] / sums["updates"]
    scalars["utterances_per_update"] = sums["utterances"] / sums["updates"]
    scalars["audio_hours_per_hour"] = sums["audio_seconds"] / sums["wall_seconds"]
    return scalars


def describe_run(model: nn.Module, world: World) -> None:
    """Say how large the model is, what of it is trained, and where."""
    parts = {
        name: sum(p.numel() for p in m.parameters())
        for name, m in model.named_children()
    }
    listed = ", ".join(
        f"{name} {count / 1e6:.2f}M" for name, count in parts.items() if count
    )
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    logger.info(
        "model: %.2fM parameters (%s), %.2fM of them trained, on %d x %s",
        sum(parts.values()) / 1e6,
        listed,
        trained / 1e6,
        world.size,
        world.device,
    )
