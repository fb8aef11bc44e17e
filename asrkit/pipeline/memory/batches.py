"""Made-up batches of given lengths."""

import torch

from asrkit.data.batches.batch import Batch, pad
from asrkit.data.batches.nbest import NBestLists, make_lists
from asrkit.data.features.fbank import num_frames
from asrkit.pipeline.memory.shapes import Shape
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.pipeline.stages.train import train_config


def make_batch(shape: Shape, run: StageRun) -> Batch:
    """Make a batch of noise and random tokens, with all that the stage takes."""
    config = run.config
    V, rate = run.tokenizer.vocab_size, config.features.sampling_rate
    lens = [round(seconds * rate) for seconds in shape.seconds]
    signal = torch.randn(shape.B, max(lens)) * 0.1
    if config.data.stored_features:
        lens = [num_frames(length, rate) for length in lens]
        signal = torch.randn(shape.B, max(lens), config.features.num_bins)
    tokens = [torch.randint(1, V, (length,)) for length in shape.labels]
    batch = Batch(
        ids=[str(number) for number in range(shape.B)],
        texts=[""] * shape.B,
        speakers=[None] * shape.B,
        signal=signal,
        signal_lens=torch.tensor(lens),
        tokens=pad(tokens),
        token_lens=torch.tensor(shape.labels),
        durations=list(shape.seconds),
    )
    if train_config(run).alignments is not None:
        batch.alignment = align(shape, tokens)
    if config.loss.list_size:
        batch.nbest = lists(tokens, V, config.loss.list_size)
    return batch


def align(shape: Shape, tokens: list[torch.Tensor]) -> torch.Tensor:
    """Spread the labels evenly over the frames: (B, T), int64, 0 for none."""
    alignment = torch.zeros(shape.B, shape.T, dtype=torch.int64)
    for row, frames, labels in zip(alignment, shape.frames, tokens, strict=True):
        labels = labels[:frames]  # at most one a frame
        places = torch.arange(len(labels)) * frames // max(len(labels), 1)
        row[places] = labels
    return alignment


def lists(tokens: list[torch.Tensor], vocab_size: int, count: int) -> NBestLists:
    """Make lists of so many hypotheses, as long as the transcripts."""
    references = [row.tolist() for row in tokens]
    hypotheses = [
        torch.randint(1, vocab_size, (count, len(row))).tolist() for row in tokens
    ]
    return make_lists(hypotheses, references, num_hypotheses=count)
