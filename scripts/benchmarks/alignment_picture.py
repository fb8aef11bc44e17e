#!/usr/bin/env python3
"""Draws aligned words below the sound, and above them when they are spoken.

scripts/benchmarks/alignment_picture.py --exp-dir exp/x --set test --out words.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import find_asrkit  # noqa: F401
import torch
from alignment import aligned, true_times
from lhotse.cut import Cut

from asrkit.cli.main import run
from asrkit.data.audio.signal import read
from asrkit.data.corpora.manifests import load_cuts
from asrkit.decoding.transcripts.boundaries import Timed
from asrkit.pipeline.decode.aligner import Aligner, By
from asrkit.pipeline.decode.choose_search import last_loss
from asrkit.pipeline.decode.recognizer import Recognizer, load_recognizer
from asrkit.pipeline.experiment import find_checkpoint

SHORT = 0.12
"""Words of fewer seconds have their name turned."""

Row = tuple[str, Sequence[tuple[str, Timed]]]
"""What a row of words is called, and the words."""


def main() -> int:
    """Draw some utterances."""
    args = _parser().parse_args()
    recognizer = load_recognizer(find_checkpoint(args.exp_dir), torch.device("cpu"))
    folder = args.manifests or Path(recognizer.config.data.manifests)
    cuts = load_cuts(folder, args.set).to_eager()
    true = true_times(cuts, args.set)
    trained = last_loss(recognizer.config).trained
    found = {
        by.value: dict(aligned(Aligner(recognizer, by), args.set, folder))
        for by in By
        if by.value in trained
    }
    chosen = [cut for cut in cuts if cut.id in true][:: max(1, len(true) // args.count)]
    rows = {
        cut.id: [
            ("spoken", [(word.symbol, word) for word in true[cut.id]]),
            *(
                (by, [(word.text, word) for word in words[cut.id]])
                for by, words in found.items()
            ),
        ]
        for cut in chosen[: args.count]
    }
    draw(recognizer, [cut for cut in chosen if cut.id in rows], rows, args.out)
    return 0


def draw(
    recognizer: Recognizer,
    cuts: Sequence[Cut],
    rows: dict[str, list[Row]],
    path: Path,
) -> None:
    """Draw each utterance's spectrum and its rows of words."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(cuts), 1, figsize=(9, 2.3 * len(cuts)), layout="constrained", squeeze=False
    )
    for axis, cut in zip(axes[:, 0], cuts, strict=True):
        _draw_sound(axis, recognizer, cut, below=len(rows[cut.id]))
        edges = {time for _, word in rows[cut.id][0][1] for time in _ends(word)}
        axis.vlines(sorted(edges), -len(rows[cut.id]), 2, color="0.6", lw=0.6)
        for place, (_, words) in enumerate(rows[cut.id], start=1):
            for text, word in words:
                _draw_word(axis, text, word, -place, spoken=place == 1)
        names = [name for name, _ in rows[cut.id]]
        axis.set_yticks([-place - 0.5 + 1 for place in range(1, len(names) + 1)], names)
        axis.set(xlim=(0, cut.duration), ylim=(-len(names), 2))
    axes[-1, 0].set_xlabel("seconds")
    figure.savefig(path, dpi=100)


def _draw_sound(axis: Any, recognizer: Recognizer, cut: Cut, *, below: int) -> None:
    """Draw the filterbank's energies above the words."""
    audio = torch.from_numpy(read(cut, recognizer.features.sampling_rate))
    feats, _ = recognizer.features(audio[None], torch.tensor([len(audio)]))
    box = (0, cut.duration, 0, 2)
    axis.imshow(
        feats[0].T, origin="lower", aspect="auto", extent=box, cmap="Greys", zorder=-1
    )
    axis.set_title(f"{cut.id}", fontsize=8, loc="left")


def _draw_word(axis: Any, text: str, word: Timed, bottom: int, *, spoken: bool) -> None:
    start, end = _ends(word)
    axis.broken_barh(
        [(start, end - start)],
        (bottom + 0.1, 0.8),
        color="tab:green" if spoken else "tab:blue",
        alpha=0.35,
        ec="black",
        lw=0.8,
    )
    turned = 90 if end - start < SHORT else 0
    middle = (start + end) / 2
    size = 5 if turned else 7
    axis.text(
        middle, bottom + 0.5, text, ha="center", va="center", size=size, rotation=turned
    )


def _ends(word: Timed) -> tuple[float, float]:
    return word.start, word.end


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parse.add_argument
    add("--exp-dir", type=Path, required=True, help="a trained run")
    add("--set", default="test", help="set of the manifests (default: test)")
    add("--count", type=int, default=3, help="utterances to draw (default: 3)")
    add("--manifests", type=Path, help="folder of manifests (default: the run's)")
    add("--out", type=Path, required=True, help="PNG or SVG")
    return parse


if __name__ == "__main__":
    run(main)
