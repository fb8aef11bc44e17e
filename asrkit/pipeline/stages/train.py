"""A stage that trains: the one place where configs become objects that train."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lhotse import CutSet
from torch import nn

from asrkit.data.attached.alignments import AttachAlignments
from asrkit.data.attached.nbest_lists import AttachNBest
from asrkit.data.batches.loader import Attach
from asrkit.data.batches.plan import plan_once
from asrkit.data.left_out import LeftOutList
from asrkit.models.dropout import Dropout
from asrkit.pipeline.decode.choose_search import list_search, validation_search
from asrkit.pipeline.decode.recognizer import describe
from asrkit.pipeline.for_stage import ALIGNMENTS, NBEST, result_folder
from asrkit.pipeline.stage import TrainStageConfig
from asrkit.pipeline.stages.initialization import initialize
from asrkit.pipeline.stages.preparation import With
from asrkit.pipeline.stages.results import run_to_end
from asrkit.pipeline.stages.stage_run import Corpus, StageRun
from asrkit.pipeline.tasks.asr_task import AsrTask
from asrkit.pipeline.tasks.batches import (
    DevBatches,
    EncoderFrames,
    TrainBatches,
    read_once,
)
from asrkit.pipeline.tasks.validation import Validation
from asrkit.training.checkpoints.checkpoint import has_begun
from asrkit.training.distributed import World
from asrkit.training.length import Length
from asrkit.training.trainer import Trainer
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

_STATISTICS_UTTERANCES = 1000
_EXAMPLES = 5
_OF_FRAMES = {"frames_right": "frames_right_share"}


def run_train(run: StageRun) -> None:
    """Train a stage to its end."""
    task = build_task(run)
    if not has_begun(run.folder):  # else all weights come from its checkpoint
        initialized = initialize(task.model, train_config(run).init, run.exp_dir)
        if not initialized:
            set_feature_statistics(task, run)
    trainer = build_trainer(run, task)
    describe_run(task.model, run.world)
    run_to_end(trainer, run.folder)


def train_config(run: StageRun) -> TrainStageConfig:
    """Return the stage's configuration."""
    assert isinstance(run.stage, TrainStageConfig)
    return run.stage


def build_task(run: StageRun) -> AsrTask:
    """Make model and criterion with random weights that depend on the seed alone."""
    config, stage = run.config, train_config(run)
    torch.manual_seed(config.seed)
    model = config.model.build(config.features.num_bins, run.tokenizer.vocab_size)
    if stage.dropout is not None:
        set_dropout(model, stage.dropout)
    criterion = config.loss.build(model)
    if config.loss.search_beam:
        criterion.take_search(list_search(config.loss))
    chunks = stage.chunks
    task = AsrTask(
        model,
        criterion,
        config.features.build(),
        config.augment.spec.build(),
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


def build_trainer(run: StageRun, task: AsrTask) -> Trainer:
    """Put a trainer together."""
    config, stage = run.config, train_config(run)
    attach = attachments(run)
    corpus = usable(run, attach)
    batches = TrainBatches(config, corpus.train, run.tokenizer, run.world, attach)
    return Trainer(
        task,
        config.optim.build(task),
        factor=lambda moment: stage.lr_scale * config.schedule.factor(moment),
        batches=batches,
        length=Length(stage.num_epochs, stage.num_updates),
        validate=Validation(
            batches=DevBatches(config, corpus.dev, run.tokenizer, run.world, attach),
            search=validation_search(config.decode, config.loss).build(),
            tokenizer=run.tokenizer,
            world=run.world,
        ),
        select=stage.select,
        summarize=summarize,
        headline=["loss_per_token", "learning_rate", "audio_hours_per_hour"],
        description=describe(run.plain, run.tokenizer),
        announce=task.criterion.announce,
        folder=run.folder,
        world=run.world,
        config=config.trainer,
        readings=batches.left_out,
        memory_limit_gb=run.memory_limit_gb,
    )


def attachments(run: StageRun) -> list[Attach]:
    """Open what the stage's batches carry besides audio and text."""
    stage = train_config(run)
    attach: list[Attach] = []
    if stage.alignments is not None:
        folder = result_folder(run.exp_dir, stage.alignments, ALIGNMENTS)
        rate, encoder = run.config.features.sampling_rate, run.config.encoder
        frames_of = EncoderFrames(rate, encoder.output_lens)
        attach.append(AttachAlignments(folder, frames_of))
    if stage.nbest is not None:
        folder = result_folder(run.exp_dir, stage.nbest, NBEST)
        attach.append(AttachNBest(folder))
    return attach


def usable(run: StageRun, attach: Sequence[Attach]) -> Corpus:
    """Return the utterances that have all that the stage needs; list the others."""
    limit = train_config(run).max_seconds
    train = _pick(run, "train", run.corpus.train, attach, limit)
    return Corpus(train, _pick(run, "dev", run.corpus.dev, attach, None))


def _pick(
    run: StageRun,
    part: str,
    cuts: CutSet,
    attach: Sequence[Attach],
    max_seconds: float | None,
) -> CutSet:
    if not attach and max_seconds is None:
        return cuts
    limit = float("inf") if max_seconds is None else max_seconds
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
        (lacking, "an earlier stage found nothing for them"),
    ):
        if ids and run.world.is_main:
            some = ", ".join(ids[:_EXAMPLES]) + (", ..." if ids[_EXAMPLES:] else "")
            logger.info("left out %d of %s, %s: %s", len(ids), part, why, some)
    return cuts.filter(With(kept))


def set_dropout(model: nn.Module, probability: float) -> None:
    """Change the probability of all dropout in a model."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.probability = probability


@torch.no_grad()
def set_feature_statistics(task: AsrTask, run: StageRun) -> None:
    """Set the model's feature statistics from the first training utterances."""
    device = run.world.device
    count, total, squares = 0, torch.zeros((), device=device), torch.zeros(())
    first = run.corpus.train.subset(first=_STATISTICS_UTTERANCES)
    planned = plan_once(first, max_duration=300.0)
    left_out = LeftOutList(max_share=1.0)  # training lists them anew
    for batch in read_once(run.config, planned, run.tokenizer, left_out):
        batch = batch.to(device)
        feats, lens = task.compute_features(batch)
        frames = feats[torch.arange(feats.shape[1], device=device) < lens[:, None]]
        count += len(frames)
        total = total + frames.double().sum(dim=0)
        squares = squares.to(device) + frames.double().square().sum(dim=0)
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
    known |= {"gradient_norm", "wall_seconds", "without_path", *_OF_FRAMES}
    for name, value in sums.items():
        if name not in known:
            scalars[f"{name}_per_token"] = value / tokens
            scalars[f"{name}_per_frame"] = value / frames
    for name, scalar in _OF_FRAMES.items():
        if name in sums:
            scalars[scalar] = sums[name] / frames
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
