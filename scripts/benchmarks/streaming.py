#!/usr/bin/env python3
"""What chunks cost: error rate, how late words are, how much of a core a stream takes.

scripts/benchmarks/streaming.py --exp-dir exp/x [exp/y ...] --set test
                                [--chunk 0.32 0.64] [--picture latency.png]

Every utterance is heard in packets of 40 ms by one thread, greedily. Of each word that
is right: how long after its true end it is shown for good; of each utterance: how long
after the first word's true start anything is shown, and after the last word's true end
the last word. The clock is the stream's own, and to it comes what the computation took.
An utterance's last chunk is encoded at once, full or not: the recordings do not go on
after the last word. `streams` is how many a core keeps up with, one by one and in a
batch of --batch.
"""

import argparse
import logging
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import find_asrkit  # noqa: F401
import numpy as np
import torch
from lhotse.cut import Cut
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from asrkit.cli.main import run
from asrkit.data.audio.signal import read
from asrkit.data.corpora.manifests import load_cuts
from asrkit.data.features.packets import FbankPackets
from asrkit.decoding.greedy import GreedySearch
from asrkit.decoding.scoring.score import GAP, Hypothesis, WordAlignment, score
from asrkit.models.chunks import EncoderChunksConfig
from asrkit.models.streaming import Streams
from asrkit.pipeline.decode.chunks import choose_chunks
from asrkit.pipeline.decode.recognizer import Recognizer, load_recognizer
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.utils.errors import InputError

PACKET = 0.04
"""Seconds."""
_HEAD = (
    f"{'model':20} {'chunk':>6} {'WER %':>6}  {'word ms':>14} {'first ms':>14} "
    f"{'last ms':>14} {'RTF':>7} {'streams':>8} {'in batch':>9}"
)


@dataclass
class Shown:
    """When the words of an utterance were shown for good, seconds since its start."""

    words: list[str]
    times: list[float]
    first: float
    """Anything at all; nan: nothing was."""


@dataclass
class Row:
    """What a chunk size gives."""

    model: str
    chunk: str
    wer: float
    of_words: list[float] = field(default_factory=list)
    """Delays, seconds."""
    of_first: list[float] = field(default_factory=list)
    of_last: list[float] = field(default_factory=list)
    rtf: float = math.nan
    in_batch: float = math.nan
    """Real-time factor of a stream among many."""

    def render(self) -> str:
        """Write it as a line."""
        delays = " ".join(
            f"{_percentile(found, 50):6.0f}/{_percentile(found, 95):5.0f}  "
            for found in (self.of_words, self.of_first, self.of_last)
        )
        return (
            f"{self.model:20} {self.chunk:>6} {self.wer:6.2f}  {delays}"
            f"{self.rtf:7.4f} {1 / self.rtf:8.0f} {1 / self.in_batch:9.0f}"
        )


def main() -> int:
    """Print a table."""
    args = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    torch.set_num_threads(1)
    rows: list[Row] = []
    print(_HEAD)
    for exp_dir in args.exp_dir:
        recognizer = load_recognizer(find_checkpoint(exp_dir), torch.device("cpu"))
        folder = args.manifests or Path(recognizer.config.data.manifests)
        cuts = list(load_cuts(folder, args.set))[: args.utterances]
        for chunk in args.chunk or _met(recognizer):
            rows.append(_measure(recognizer, exp_dir.name, cuts, chunk, args))
            print(rows[-1].render(), flush=True)
    print("delays: median/95 %; RTF of one thread; streams: how many it keeps up with")
    if args.picture is not None:
        _draw(rows, args.picture)
    return 0


def _met(recognizer: Recognizer) -> list[float]:
    """Return the chunks of the training, seconds."""
    chunks = getattr(recognizer.config.encoder, "chunks", EncoderChunksConfig())
    sizes = sorted({size for size in chunks.sizes if size is not None})
    if not sizes:
        raise InputError("this model was trained without chunks (docs/streaming.md)")
    return [size * recognizer.frame_seconds for size in sizes]


def _measure(
    recognizer: Recognizer,
    model: str,
    cuts: Sequence[Cut],
    chunk: float,
    args: argparse.Namespace,
) -> Row:
    """Hear all utterances in chunks of so many seconds."""
    config = recognizer.config
    search = replace(config.decode, chunk=chunk, left=args.left)
    chunks = choose_chunks(search, config.encoder, recognizer.frame_seconds)
    assert chunks is not None
    size, left = chunks
    rate = recognizer.features.sampling_rate
    found: dict[str, Shown] = {}
    taken = 0.0
    signals = [torch.from_numpy(read(cut, rate)) for cut in cuts]
    for number, (cut, audio) in enumerate(zip(cuts, signals, strict=True)):
        found[cut.id], seconds = _hear(recognizer, audio, size, left)
        taken += seconds
        if sys.stderr.isatty():
            print(f"\r{number + 1} of {len(cuts)}", end="\r", file=sys.stderr)
    hypotheses = [
        Hypothesis(
            id=cut.id,
            ref=cut.supervisions[0].text.split(),
            hyp=found[cut.id].words,
        )
        for cut in cuts
    ]
    scored = score(hypotheses)
    row = Row(model, f"{chunk:g}", scored.rate)
    by_id = {one.id: one for one in scored.alignments}
    for cut in cuts:
        _delays(row, cut, found[cut.id], by_id[cut.id])
    row.rtf = taken / sum(len(audio) / rate for audio in signals)
    row.in_batch = _batch_rtf(recognizer, signals, size, left, args.batch)
    return row


class Listener:
    """Hears B streams from their first samples to their labels.

    Args:
        recognizer: Searches greedily.
        batch_size: B.
        size: Encoder frames of a chunk.
        left: Chunks before its own that a frame sees.
    """

    def __init__(
        self, recognizer: Recognizer, batch_size: int, size: int, left: int
    ) -> None:
        if not isinstance(recognizer.search, GreedySearch):
            raise InputError("this measures decode=greedy")
        self.model = recognizer.model
        self.packets = [FbankPackets(recognizer.features) for _ in range(batch_size)]
        self.streams = Streams(self.model.encoder, batch_size, size=size, left=left)  # type: ignore[arg-type]
        self.search = recognizer.search.start(self.model, batch_size)

    @torch.inference_mode()
    def push(self, audio: Sequence[Tensor], *, ended: bool = False) -> None:
        """Take the next samples (S,) of each stream; all of them end together."""
        feats = {
            row: self.model.normalize(packets.push(one, ended=ended))
            for row, (packets, one) in enumerate(zip(self.packets, audio, strict=True))
        }
        frames = self.streams.push(feats, ended=feats if ended else ())
        if frames:
            none = next(iter(frames.values()))[:0]
            found = [frames.get(row, none) for row in feats]
            lens = torch.tensor([len(one) for one in found])
            self.search.advance(pad_sequence(found, batch_first=True), lens)


def _hear(
    recognizer: Recognizer, audio: Tensor, size: int, left: int
) -> tuple[Shown, float]:
    """Hear an utterance as if live; return its words and the seconds that it took."""
    rate = recognizer.features.sampling_rate
    listener = Listener(recognizer, 1, size, left)
    # Of each label: when it was shown.
    times: list[float] = []
    tokens: list[int] = []
    taken, heard = 0.0, 0
    for packet in audio.split(round(PACKET * rate)):
        heard += len(packet)
        start = time.perf_counter()
        listener.push([packet], ended=heard == len(audio))
        tokens = listener.search.found()[0][0].tokens
        seconds = time.perf_counter() - start
        taken += seconds
        times += [heard / rate + seconds] * (len(tokens) - len(times))
    spans = recognizer.tokenizer.word_spans(tokens)
    texts = [recognizer.tokenizer.decode([tokens[i] for i in span]) for span in spans]
    pairs = [(text, times[span[-1]]) for text, span in zip(texts, spans, strict=True)]
    spoken = [(text, when) for text, when in pairs if text]
    first = times[0] if times else math.nan
    return Shown([one for one, _ in spoken], [when for _, when in spoken], first), taken


def _delays(row: Row, cut: Cut, shown: Shown, aligned: WordAlignment) -> None:
    """Add how late an utterance's words were shown, where it is known when they end."""
    spoken = (cut.supervisions[0].alignment or {}).get("word", [])
    if not spoken:
        return
    ends = iter([item.end - cut.start for item in spoken])
    times = iter(shown.times)
    delays = [
        (
            next(times) if hyp != GAP else math.nan,
            next(ends) if ref != GAP else math.nan,
        )
        for ref, hyp in aligned.pairs
    ]
    right = [ref == hyp for ref, hyp in aligned.pairs]
    row.of_words += [
        when - end for (when, end), ok in zip(delays, right, strict=True) if ok
    ]
    if right[0]:
        row.of_first.append(shown.first - (spoken[0].start - cut.start))
    if right[-1]:
        row.of_last.append(shown.times[-1] - (spoken[-1].end - cut.start))


def _batch_rtf(
    recognizer: Recognizer, signals: Sequence[Tensor], size: int, left: int, batch: int
) -> float:
    """Return the real-time factor of a stream among so many that come in step."""
    rate = recognizer.features.sampling_rate
    # The longest ones, all as long as the shortest of them.
    longest = sorted(signals, key=len)[-batch:]
    samples = len(longest[0])
    packets = [one[:samples].split(round(PACKET * rate)) for one in longest]
    times = []
    for _ in range(3):
        listener = Listener(recognizer, len(longest), size, left)
        start = time.perf_counter()
        for number, together in enumerate(zip(*packets, strict=True), start=1):
            listener.push(together, ended=number == len(packets[0]))
        times.append(time.perf_counter() - start)
    return median(times) / (len(longest) * samples / rate)


def _percentile(seconds: Sequence[float], percent: float) -> float:
    """Return it in milliseconds; nan where nothing was measured."""
    if not seconds:
        return math.nan
    return 1000 * float(np.percentile(seconds, percent))


def _draw(rows: Sequence[Row], path: Path) -> None:
    """Draw error rate and delays over the chunk, a line for each model."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    chunks = sorted({1000 * float(row.chunk) for row in rows})
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for number, model in enumerate(dict.fromkeys(row.model for row in rows)):
        own = [row for row in rows if row.model == model]
        sizes = [1000 * float(row.chunk) for row in own]
        color = f"C{number}"
        left.plot(sizes, [row.wer for row in own], "o-", color=color, label=model)
        for percent, style in ((50, "o-"), (95, "o--")):
            words = [_percentile(row.of_words, percent) for row in own]
            label = f"{model}, {percent} %"
            right.plot(sizes, words, style, color=color, label=label)
    left.set(xlabel="chunk, ms", ylabel="WER, %", ylim=(0, None))
    right.set(xlabel="chunk, ms", ylabel="word shown after its end, ms")
    for axis in (left, right):
        axis.set_xscale("log", base=2)
        axis.set_xticks(chunks, [f"{chunk:g}" for chunk in chunks])
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(path, dpi=100)
    print(f"drawn: {path}")


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parse.add_argument
    add("--exp-dir", type=Path, nargs="+", required=True, help="trained runs")
    add("--set", default="test", help="set of the manifests (default: test)")
    add("--chunk", type=float, nargs="+", help="seconds (default: all of the training)")
    add("--left", type=int, help="chunks before its own that are seen (default: most)")
    add("--batch", type=int, default=16, help="streams of a batch (default: 16)")
    add("--utterances", type=int, help="the first so many (default: all)")
    add("--picture", type=Path, metavar="FILE", help="draw it: a PNG or SVG")
    add("--manifests", type=Path, help="folder of manifests (default: the run's)")
    return parse


if __name__ == "__main__":
    run(main)
