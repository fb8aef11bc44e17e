"""`scripts/transcribe.py FILE... --exp-dir exp/x`: audio files to text."""

import argparse
import logging
import sys
import time
from pathlib import Path

import torch

from asrkit.cli.logs import start_logging
from asrkit.cli.overrides import apply_overrides
from asrkit.config import from_plain
from asrkit.data.batch import Batch, lengths, pad
from asrkit.data.pieces import cut_pieces, read_audio
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.pipeline.recognizer import Recognizer, load_recognizer
from asrkit.training.distributed import choose_device
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Transcribe; the status is 2 when a file could not be read."""
    args = parser().parse_args(argv)
    start_logging(None, "transcribe")
    recognizer = load_recognizer(
        args.checkpoint or find_checkpoint(args.exp_dir),
        choose_device(args.device),
        read_config=from_plain,
        change=lambda config: apply_overrides(config, args.decode),
    )
    failed = 0
    start, seconds = time.monotonic(), 0.0
    for path in args.files:
        try:
            audio = read_audio(path, recognizer.features.sampling_rate)
        except InputError as error:
            logger.error("error: %s", error)
            failed += 1
            continue
        text = transcribe(recognizer, audio, args.max_seconds)
        seconds += len(audio) / recognizer.features.sampling_rate
        sys.stdout.write(f"{path}\t{text}\n")
        sys.stdout.flush()
    rtfx = seconds / (time.monotonic() - start)
    logger.info("%.1f s of audio, RTFx %.1f, %d failed", seconds, rtfx, failed)
    return 2 if failed else 0


def transcribe(recognizer: Recognizer, audio: torch.Tensor, max_seconds: float) -> str:
    """Return the text of audio (S,) of any length."""
    rate = recognizer.features.sampling_rate
    pieces = [audio[a:b] for a, b in cut_pieces(audio, rate, max_seconds)]
    at_once = max(1, int(recognizer.config.decode.max_duration / max_seconds))
    texts: list[str] = []
    for first in range(0, len(pieces), at_once):
        some = pieces[first : first + at_once]
        texts += recognizer.texts(recognizer.find(_batch(some, rate)))
    return " ".join(text for text in texts if text)


def _batch(pieces: list[torch.Tensor], rate: int) -> Batch:
    """Put pieces without a reference into a batch."""
    empty = torch.zeros(len(pieces), dtype=torch.int64)
    return Batch(
        ids=[str(i) for i in range(len(pieces))],
        texts=[""] * len(pieces),
        speakers=[None] * len(pieces),
        signal=pad(pieces),
        signal_lens=lengths(pieces),
        tokens=empty[:, None],
        token_lens=empty,
        seconds=sum(len(piece) for piece in pieces) / rate,
    )


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parse = argparse.ArgumentParser(
        description="Turns audio files into text: one line FILE<tab>TEXT each. Any "
        "format that soundfile reads and any rate; long files are cut at quiet places."
    )
    add = parse.add_argument
    add("files", nargs="+", type=Path, help="audio files")
    add("--exp-dir", type=Path, required=True, help="folder of the run")
    add("--checkpoint", type=Path, help="another one than the run's average or best")
    add("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    add("--max-seconds", type=float, default=25.0, help="longest piece (default: 25)")
    add("--decode", nargs="*", default=[], metavar="key=value", help="search settings")
    return parse
