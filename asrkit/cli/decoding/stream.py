"""`scripts/transcribe.py --stream`: audio as if live, chunk by chunk."""

import argparse
import logging
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asrkit.cli.decoding.interrupt import until_interrupted
from asrkit.cli.decoding.microphone import record_packets
from asrkit.cli.decoding.standard_input import read_packets
from asrkit.cli.decoding.stream_options import STANDARD_INPUT, read_end_points
from asrkit.cli.output import Output
from asrkit.data.audio.files import read_audio
from asrkit.decoding.transcripts.transcript import Transcript
from asrkit.pipeline.decode.live import Live, Utterance
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

_WIPE = "\r\x1b[K"
_FAINT, _NORMAL = "\x1b[2m", "\x1b[22m"


@dataclass(frozen=True)
class Source:
    """Where a stream comes from."""

    name: str
    """In its lines of output."""
    id: str
    """In formats with names alone."""
    packets: Iterable[Tensor]
    """Audio of an encoder frame each, (S,), as a microphone gives it."""


def stream(args: argparse.Namespace, recognizer: Recognizer, output: Output) -> int:
    """Transcribe all streams; return how many could not be read."""
    assert recognizer.chunks is not None
    size, left = recognizer.chunks
    screen, times, failed = Screen(lines=output.streams), Times(), 0
    for source in _sources(args, recognizer):
        live = Live(recognizer, size=size, left=left, end_points=read_end_points(args))
        found: list[Utterance] = []
        try:
            for over in _listen(live, source.packets, screen, times):
                screen.finish(source, over)
                found += over
        except InputError as error:
            said = live.present()  # up to where the stream broke off
            over = [said] if said.text else []
            screen.finish(source, over)
            found += over
            screen.wipe()
            logger.error("error: %s", error)
            failed += 1
            if not live.samples:
                continue
        if not output.streams:
            output.add(_transcript(source, found, live))
    output.close()
    times.log(failed)
    return failed


def _sources(args: argparse.Namespace, recognizer: Recognizer) -> Iterator[Source]:
    """Open what the command line names, one after the other."""
    rate, size = recognizer.features.sampling_rate, recognizer.frame_samples
    if args.microphone:
        packets = until_interrupted(record_packets(rate, size))
        yield Source("microphone", "microphone", packets)
    for path in args.files:
        if path == STANDARD_INPUT:
            packets = until_interrupted(read_packets(sys.stdin.buffer, rate, size))
            yield Source("-", "stdin", packets)
        else:
            packets = _read_file(path, rate, args.channel, size)
            yield Source(str(path), path.stem, packets)


def _read_file(
    path: Path, rate: int, channel: int | None, size: int
) -> Iterator[Tensor]:
    """Yield the packets of a file that is read when the first one is wanted."""
    yield from read_audio(path, rate, channel).split(size)


def _listen(
    live: Live, packets: Iterable[Tensor], screen: "Screen", times: "Times"
) -> Iterator[list[Utterance]]:
    """Recognize a stream and show the present utterance; yield those that are over."""
    for packet in packets:
        before = live.frames
        yield times.push(live, packet)
        if live.frames > before:
            screen.go_on(live.present().text, live.settled())
    yield times.push(live, torch.zeros(0), ended=True)


def _transcript(source: Source, found: list[Utterance], live: Live) -> Transcript:
    """Put a stream's utterances together."""
    return Transcript(
        id=source.id,
        duration=live.samples / live.recognizer.features.sampling_rate,
        text=" ".join(one.text for one in found),
        words=[word for one in found for word in one.words],
        audio=source.name,
    )


class Screen:
    """Shows utterances that are over, and on a terminal the present one, too.

    Args:
        lines: Whether standard output gets a line for each utterance that is over.
    """

    def __init__(self, *, lines: bool) -> None:
        self.lines = lines
        self.terminal = sys.stderr.isatty()

    def go_on(self, text: str, settled: str) -> None:
        """Show the end of the present utterance in the terminal's last line.

        What follows what is settled is faint, as it may be taken back.
        """
        if not self.terminal:
            return
        unsure = len(text) - text.startswith(settled) * len(settled)
        shown = text[1 - shutil.get_terminal_size().columns :]
        sure = max(0, len(shown) - unsure)
        rest = f"{_FAINT}{shown[sure:]}{_NORMAL}" if shown[sure:] else ""
        sys.stderr.write(f"{_WIPE}{shown[:sure]}{rest}")
        sys.stderr.flush()

    def wipe(self) -> None:
        """Empty the terminal's last line."""
        self.go_on("", "")

    def finish(self, source: Source, over: list[Utterance]) -> None:
        """Write utterances that are over, a line each."""
        if over:
            self.wipe()
        for one in over if self.lines else ():
            print(
                f"{source.name}\t{one.start:.2f}\t{one.end:.2f}\t{one.text}", flush=True
            )


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
        took = ""
        if self.chunks:
            median, most = 1000 * np.percentile(self.chunks, [50, 95])
            took = (
                f"real-time factor {self.seconds / self.audio:.3f}, a chunk took "
                f"{median:.1f} ms (median), {most:.1f} ms (95 %), "
            )
        logger.info("%.1f s of audio, %s%d failed", self.audio, took, failed)
