#!/usr/bin/env python3
"""Compares aligned words with when they are spoken, where the manifests say so.

scripts/benchmarks/alignment.py --exp-dir exp/x --set test [--by timing ctc]
scripts/benchmarks/alignment.py --exp-dir exp/x --set test --picture words.png
scripts/benchmarks/alignment.py --exp-dir exp/x --alignments exp/x/align/alignments
"""

import argparse
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import find_asrkit  # noqa: F401
import torch
from lhotse import CutSet
from lhotse.cut import Cut
from lhotse.supervision import AlignmentItem

from asrkit.cli.decoding.align import Failures, align, open_sets
from asrkit.cli.main import run
from asrkit.data.attached.rows import read_rows
from asrkit.data.audio.signal import read
from asrkit.data.corpora.manifests import load_cuts
from asrkit.decoding.transcripts.boundaries import Timed, boundary_errors
from asrkit.decoding.transcripts.words import Word, find_words
from asrkit.pipeline.decode.aligner import Aligner, By
from asrkit.pipeline.decode.choose_search import last_loss
from asrkit.pipeline.decode.recognizer import Recognizer, load_recognizer
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.text.normalize import TextStyle
from asrkit.training.distributed import choose_device
from asrkit.utils.errors import InputError

Aligned = Iterable[tuple[str, list[Word]]]
"""Ids of utterances, and their words."""
Found = dict[str, dict[str, list[Word]]]
"""What aligned, and the words of each utterance."""

PICTURED = 3
"""Utterances in a picture."""
SHORT = 0.12
"""Words of fewer seconds have their text turned in it."""


def main() -> int:
    """Print a table of errors."""
    args = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    recognizer = load_recognizer(
        args.checkpoint or find_checkpoint(args.exp_dir),
        choose_device(args.device),
    )
    folder = args.manifests or Path(recognizer.config.data.manifests)
    cuts = load_cuts(folder, args.set).to_eager()
    true = _true_times(cuts, args.set)
    print(
        f"{'':24} {'words':>6} {'mean':>7} {'median':>7} {'bias':>7} "
        f"{'<=50 ms':>8} {'<=100 ms':>8} {'<=200 ms':>8}"
    )
    words: Found = {}
    if args.alignments is not None:
        name = args.alignments.resolve().parent.name
        words[name] = dict(_stored(args.alignments, recognizer, cuts))
    else:
        trained = last_loss(recognizer.config).trained
        for by in map(By, args.by or [by.value for by in By if by.value in trained]):
            aligner = Aligner(recognizer, by)
            words[by.value] = dict(_aligned(aligner, args.set, folder))
    for name, found in words.items():
        _report(name, found.items(), true)
    if args.picture is not None:
        everywhere = set(true).intersection(*words.values())
        chosen = [cut for cut in cuts if cut.id in everywhere]
        chosen = chosen[:: max(1, len(chosen) // PICTURED)][:PICTURED]
        _draw(recognizer, chosen, true, words, args.picture)
    return 0


def _true_times(cuts: CutSet, name: str) -> dict[str, list[AlignmentItem]]:
    """Return when the words of each utterance are spoken, as far as it is known."""
    known = {
        # Lhotse's count from the start of the recording.
        cut.id: [item.with_offset(-cut.start) for item in found["word"]]
        for cut in cuts
        if (found := cut.supervisions[0].alignment)
    }
    if not known:
        raise InputError(
            f"the set {name} has no true word times: its manifest has no alignments. "
            "The demo corpus has them (recipes/librispeech/prepare.py), and any folder "
            "in LibriSpeech layout with SPEAKER-CHAPTER.words.ctm files"
        )
    print(f"{name}: true word times of {len(known)} utterances of {len(cuts)}")
    return known


def _aligned(aligner: Aligner, name: str, folder: Path) -> Aligned:
    """Align a set; what cannot be aligned is listed."""
    failures: Failures = []
    groups = open_sets([name], folder, aligner, failures)
    for one in align(groups, aligner, TextStyle.NONE, failures):
        yield one.id, one.words
    for utterance, reason in failures:
        print(f"not aligned: {utterance}: {reason}")


def _stored(folder: Path, recognizer: Recognizer, cuts: CutSet) -> Aligned:
    """Make words of the labels that an align stage wrote."""
    durations = {cut.id: cut.duration for cut in cuts}
    for row in read_rows(folder):
        if row["id"] in durations and row["frames"] is not None:
            words = find_words(
                recognizer.tokenizer,
                row["tokens"],
                row["frames"],
                [1.0] * len(row["tokens"]),
                frame_seconds=recognizer.frame_seconds,
                duration=durations[row["id"]],
            )
            yield row["id"], words


def _report(
    name: str, found: Aligned, true: Mapping[str, Sequence[AlignmentItem]]
) -> None:
    """Print two rows of the table, and what is not in them."""
    pairs: list[tuple[Word, AlignmentItem]] = []
    other, left = [], set(true)
    for utterance, words in found:
        if utterance not in true:
            continue
        left.discard(utterance)
        spoken = true[utterance]
        if [word.text for word in words] == [word.symbol for word in spoken]:
            pairs += zip(words, spoken, strict=True)
        else:
            other.append(utterance)
    if not pairs:
        raise InputError(
            f"{name}: none of the {len(true)} utterances is aligned with its words: "
            f"{len(left)} are not aligned, {len(other)} with other words"
        )
    for what, ids in (("have other words", other), ("are not aligned", sorted(left))):
        if ids:
            print(
                f"{name}: {len(ids)} utterances {what}, not counted: {', '.join(ids)}"
            )
    for what, errors in zip(("starts", "ends"), boundary_errors(pairs), strict=True):
        shares = "  ".join(f"{100 * share:6.1f} %" for share in errors.within.values())
        print(
            f"{name + ' ' + what:24} {errors.words:6} {1000 * errors.mean:4.0f} ms "
            f"{1000 * errors.median:4.0f} ms {1000 * errors.bias:+4.0f} ms {shares}"
        )


def _draw(
    recognizer: Recognizer,
    cuts: Sequence[Cut],
    true: Mapping[str, Sequence[AlignmentItem]],
    found: Found,
    path: Path,
) -> None:
    """Draw the sound, and below it rows of words as spoken and as aligned."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = ["spoken", *found]
    figure, axes = plt.subplots(
        len(cuts), 1, figsize=(9, 2.3 * len(cuts)), layout="constrained", squeeze=False
    )
    for axis, cut in zip(axes[:, 0], cuts, strict=True):
        _draw_sound(axis, recognizer, cut)
        edges = {time for word in true[cut.id] for time in (word.start, word.end)}
        axis.vlines(sorted(edges), -len(names), 2, color="0.6", lw=0.6)
        for word in true[cut.id]:
            _draw_word(axis, word.symbol, word, -1, "tab:green")
        for row, words in enumerate(found.values(), start=2):
            for aligned in words[cut.id]:
                _draw_word(axis, aligned.text, aligned, -row, "tab:blue")
        axis.set_yticks([-row - 0.5 for row in range(len(names))], names)
        axis.set(xlim=(0, cut.duration), ylim=(-len(names), 2))
    axes[-1, 0].set_xlabel("seconds")
    figure.savefig(path, dpi=100)


def _draw_sound(axis: Any, recognizer: Recognizer, cut: Cut) -> None:
    audio = torch.from_numpy(read(cut, recognizer.features.sampling_rate))
    lens = torch.tensor([len(audio)])
    feats, _ = recognizer.features.cpu()(audio[None], lens)
    box = (0, cut.duration, 0, 2)
    axis.imshow(feats[0].T, origin="lower", aspect="auto", extent=box, cmap="Greys")
    axis.set_title(cut.id, fontsize=8, loc="left")


def _draw_word(axis: Any, text: str, word: Timed, bottom: int, color: str) -> None:
    seconds = word.end - word.start
    axis.broken_barh(
        [(word.start, seconds)], (bottom + 0.1, 0.8), color=color, alpha=0.35, ec="k"
    )
    size, turned = (5, 90) if seconds < SHORT else (7, 0)
    middle = (word.start + word.end) / 2
    place = {"ha": "center", "va": "center", "rotation": turned}
    axis.text(middle, bottom + 0.5, text, size=size, **place)


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parse.add_argument
    add("--exp-dir", type=Path, required=True, help="a trained run")
    add("--set", default="test", help="set of the manifests (default: test)")
    what = parse.add_mutually_exclusive_group()
    what.add_argument(
        "--by",
        nargs="+",
        choices=[by.value for by in By],
        help="what aligns (default: all that the run trains)",
    )
    what.add_argument(
        "--alignments",
        type=Path,
        metavar="DIR",
        help="folder that an align stage of the run wrote, instead of aligning",
    )
    add("--picture", type=Path, metavar="FILE", help="draw some of it: a PNG or SVG")
    add("--checkpoint", type=Path, help="another one than the run's average or best")
    add("--manifests", type=Path, help="folder of manifests (default: the run's)")
    add("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    return parse


if __name__ == "__main__":
    run(main)
