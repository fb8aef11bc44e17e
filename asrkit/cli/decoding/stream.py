"""`scripts/transcribe.py --stream`: audio as if live, chunk by chunk."""

import argparse
import logging
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asrkit.cli.decoding.standard_input import read_packets
from asrkit.cli.output import Output
from asrkit.data.audio.files import read_audio
from asrkit.decoding.end_points import EndPoints
from asrkit.decoding.transcripts.transcript import Transcript
from asrkit.pipeline.config import Config
from asrkit.pipeline.decode.live import Live, Utterance
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

CHUNK = 0.64
"""Seconds of audio that are encoded at once."""
STANDARD_INPUT = Path("-")
_WIPE = "\r\x1b[K"


def check_options(args: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    if not args.stream:
        if STANDARD_INPUT in args.files:
            raise InputError("standard input (-) is a stream: give --stream")
        if args.chunk is not None or args.left is not None:
            raise InputError("--chunk and --left are of streams: give --stream")
        return
    if args.align:
        raise InputError("--align needs whole recordings: leave it, or --stream, out")
    if args.channel is not None and STANDARD_INPUT in args.files:
        raise InputError("--channel is for files; standard input has one channel")
    if args.files.count(STANDARD_INPUT) > 1:
        raise InputError("standard input (-) can be read once only")


def overrides(args: argparse.Namespace) -> list[str]:
    """Return what the options say as changes to the run's configuration."""
    short = {"decode.chunk": args.chunk, "decode.left": args.left}
    return [f"{key}={value}" for key, value in short.items() if value is not None]


def chunked(config: Config) -> Config:
    """Return a configuration that decodes in chunks."""
    if config.decode.chunk is None:
        config.decode = replace(config.decode, chunk=CHUNK)
    return config


def stream(args: argparse.Namespace, recognizer: Recognizer, output: Output) -> int:
    """Transcribe all files; return how many could not be read."""
    assert recognizer.chunks is not None
    size, left = recognizer.chunks
    screen, times, failed = Screen(lines=output.streams), Times(), 0
    for path in args.files:
        live = Live(recognizer, size=size, left=left, end_points=EndPoints())
        try:
            packets = _packets(path, recognizer, args.channel)
            found = _listen(live, packets, path, screen, times)
        except InputError as error:
            said = live.present()  # up to where the stream broke off
            screen.finish(path, [said] if said.text else [])
            screen.go_on("")
            logger.error("error: %s", error)
            failed += 1
            continue
        if not output.streams:
            output.add(_transcript(path, found, live))
    output.close()
    times.log(failed)
    return failed


def _packets(
    path: Path, recognizer: Recognizer, channel: int | None
) -> Iterable[Tensor]:
    """Return audio in packets of an encoder frame, as a microphone gives it."""
    rate, size = recognizer.features.sampling_rate, recognizer.frame_samples
    if path == STANDARD_INPUT:
        return read_packets(sys.stdin.buffer, rate, size)
    return read_audio(path, rate, channel).split(size)


def _listen(
    live: Live, packets: Iterable[Tensor], path: Path, screen: "Screen", times: "Times"
) -> list[Utterance]:
    """Recognize a stream and show what it says; return its utterances."""
    found = []
    for packet in packets:
        before, over = live.frames, times.push(live, packet)
        screen.finish(path, over)
        if live.frames > before:
            screen.go_on(live.settled())
        found += over
    over = times.push(live, torch.zeros(0), ended=True)
    screen.finish(path, over)
    return found + over


def _transcript(path: Path, found: list[Utterance], live: Live) -> Transcript:
    """Put a stream's utterances together."""
    return Transcript(
        id="stdin" if path == STANDARD_INPUT else path.stem,
        duration=live.samples / live.recognizer.features.sampling_rate,
        text=" ".join(one.text for one in found),
        words=[word for one in found for word in one.words],
        audio=str(path),
    )


class Screen:
    """Shows utterances that are over, and on a terminal the present one, too.

    Args:
        lines: Whether standard output gets a line for each utterance that is over.
    """

    def __init__(self, *, lines: bool) -> None:
        self.lines = lines
        self.terminal = sys.stderr.isatty()

    def go_on(self, text: str) -> None:
        """Show the end of the present utterance in the terminal's last line."""
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"{_WIPE}{text[-width:]}")
            sys.stderr.flush()

    def finish(self, path: Path, over: list[Utterance]) -> None:
        """Write utterances that are over, a line each."""
        if over:
            self.go_on("")
        for one in over if self.lines else ():
            print(f"{path}\t{one.start:.2f}\t{one.end:.2f}\t{one.text}", flush=True)


class Times:
    """How long it takes to recognize."""

    def __init__(self) -> None:
        self.chunks: list[float] = []
        """Seconds from a chunk's last packet to its words."""
        self.seconds = 0.0
        self.audio = 0.0

    def push(
        self, live: Live, audio: Tensor, *, ended: bool = False
    ) -> list[Utterance]:
        """Push audio (S,) and note how long it took."""
        before, start = live.frames, time.perf_counter()
        over = live.push(audio, ended=ended)
        took = time.perf_counter() - start
        self.seconds += took
        self.audio += len(audio) / live.recognizer.features.sampling_rate
        if live.frames > before:
            self.chunks.append(took)
        return over

    def log(self, failed: int) -> None:
        """Say how long it took; the wait for a chunk to be full is not in it."""
        median, most = np.percentile(self.chunks or [0.0], [50, 95])
        logger.info(
            "%.1f s of audio, real-time factor %.3f, a chunk took %.1f ms (median), "
            "%.1f ms (95 %%), %d failed",
            self.audio,
            self.seconds / max(self.audio, 1e-9),
            1000 * median,
            1000 * most,
            failed,
        )
