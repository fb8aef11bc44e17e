"""`scripts/align.py --exp-dir exp/x --audio FILE --text "WORDS"`: words to times."""

import argparse
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from asrkit.cli.logs import start_logging
from asrkit.cli.output import Output, add_options
from asrkit.data.audio.files import read_audio
from asrkit.data.audio.signal import read
from asrkit.data.batches.cuts import plan_once
from asrkit.data.corpora.manifests import load_cuts
from asrkit.decoding.search import Hypothesis
from asrkit.decoding.transcripts.transcript import Transcript
from asrkit.decoding.transcripts.words import find_words
from asrkit.pipeline.decode.aligner import Aligner, By
from asrkit.pipeline.decode.recognizer import load_recognizer
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.text.normalize import TextStyle, normalize_text
from asrkit.training.distributed import choose_device
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Spoken:
    """Audio with the text that is spoken in it."""

    id: str
    samples: Tensor
    """(S,)."""
    text: str
    audio: str | None = None
    """Path, where a file was given."""

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.audio or self.id


Failures = list[tuple[str, str]]
"""Name of a recording, and why it is not aligned."""


def main(argv: list[str] | None = None) -> int:
    """Align; the status is 1 when something could not be aligned."""
    parse = parser()
    args = parse.parse_args(argv)
    if args.text is not None and len(args.audio or []) != 1:
        parse.error("--text goes with one --audio FILE")
    if args.text_dir is not None and (not args.audio or args.text is not None):
        parse.error("--text-dir goes with --audio FILE... and without --text")
    start_logging(None, "align")
    output = Output(args.format, args.out, several=len(args.audio or []) != 1)
    recognizer = load_recognizer(
        args.checkpoint or find_checkpoint(args.exp_dir),
        choose_device(args.device),
    )
    aligner = Aligner(recognizer, args.by and By(args.by), args.max_seconds)
    failures: Failures = []
    if args.audio:
        groups = open_files(args.audio, args.text, args.text_dir, aligner, failures)
    else:
        folder = args.manifests or Path(recognizer.config.data.manifests)
        groups = open_sets(args.sets, folder, aligner, failures)
    found = align(groups, aligner, TextStyle(args.normalize), failures)
    if args.sets:  # they come longest first
        found = iter(sorted(found, key=lambda one: one.id))
    count = 0
    for one in found:
        output.add(one)
        count += 1
    output.close()
    for name, reason in failures:
        logger.error("not aligned: %s: %s", name, reason)
    logger.info("%d aligned by %s, %d not", count, aligner.by.value, len(failures))
    return 1 if failures else 0


def open_files(
    paths: list[Path],
    text: str | None,
    text_dir: Path | None,
    aligner: Aligner,
    failures: Failures,
) -> Iterator[list[Spoken]]:
    """Read audio files, and their texts where none is given."""
    for path in paths:
        try:
            samples = read_audio(path, aligner.rate)
            words = read_text(path, text_dir) if text is None else text
        except InputError as error:
            failures.append((str(path), str(error)))
            continue
        yield [Spoken(path.stem, samples, words, str(path))]


def read_text(audio: Path, text_dir: Path | None) -> str:
    """Read the text of an audio file: NAME.txt beside it or in another folder."""
    path = (text_dir or audio.parent) / f"{audio.stem}.txt"
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"its text {path} cannot be read ({error}); give --text or --text-dir"
        ) from error


def open_sets(
    names: list[str], folder: Path, aligner: Aligner, failures: Failures
) -> Iterator[list[Spoken]]:
    """Read the utterances of sets in batches."""
    max_duration = aligner.recognizer.config.decode.max_duration
    for name in names:
        for batch in plan_once(load_cuts(folder, name), max_duration=max_duration):
            group = []
            for cut in batch.cuts:
                try:
                    samples = torch.from_numpy(read(cut, aligner.rate))
                except InputError as error:
                    failures.append((cut.id, str(error)))
                    continue
                group.append(Spoken(cut.id, samples, cut.supervisions[0].text or ""))
            yield group


def align(
    groups: Iterable[list[Spoken]],
    aligner: Aligner,
    style: TextStyle,
    failures: Failures,
) -> Iterator[Transcript]:
    """Align group by group; what cannot be aligned goes to `failures`."""
    tokenizer = aligner.recognizer.tokenizer
    seen: set[str] = set()
    for group in groups:
        good: list[tuple[Spoken, list[int]]] = []
        for one in group:
            text = normalize_text(one.text, style)
            reason = why_not(one, text, aligner, seen)
            seen.add(one.id)
            if reason is None:
                good.append((one, tokenizer.encode(text)))
            else:
                failures.append((one.name, reason))
        if not good:
            continue
        found = aligner.align(
            [one.samples for one, _ in good], [ids for _, ids in good]
        )
        for (one, ids), times in zip(good, found, strict=True):
            if times is None:
                failures.append((one.name, too_short(one, len(ids), aligner)))
            else:
                yield transcript(one, times, aligner)


def why_not(one: Spoken, text: str, aligner: Aligner, seen: set[str]) -> str | None:
    """Say what keeps a recording from being aligned with its text, if anything."""
    tokenizer = aligner.recognizer.tokenizer
    ids, missing = tokenizer.encode(text), tokenizer.missing(text)
    if one.id in seen:
        return f"another recording has the name {one.id}, too; rename one of them"
    if not ids:
        return "its text is empty"
    if missing:
        return (
            f"the tokenizer lacks {', '.join(map(repr, missing))} of its text; write "
            "it as the training transcripts are, or try --normalize librispeech"
        )
    frames = aligner.frames(one.samples)
    if frames < len(ids):
        return too_short(one, len(ids), aligner)
    if frames * len(ids) > aligner.max_cells:
        other = ", or take --by ctc" if By.TRANSDUCER in aligner.uses else ""
        return (
            f"{frames} frames and {len(ids)} labels need too much memory to be aligned "
            f"by {aligner.by.value}; cut it{other}"
        )
    return None


def too_short(one: Spoken, count: int, aligner: Aligner) -> str:
    """Say that audio is too short for so many labels."""
    seconds = len(one.samples) / aligner.rate
    return (
        f"{seconds:.2f} s of audio are too short for its text: {count} labels, "
        f"{aligner.frames(one.samples)} frames; is it the right text?"
    )


def transcript(one: Spoken, times: Hypothesis, aligner: Aligner) -> Transcript:
    """Make the words of aligned labels."""
    duration = len(one.samples) / aligner.rate
    words = find_words(
        aligner.recognizer.tokenizer,
        times.tokens,
        times.frames,
        times.confidences,
        frame_seconds=aligner.recognizer.frame_seconds,
        duration=duration,
        ends=times.ends,
    )
    text = " ".join(word.text for word in words)
    return Transcript(
        id=one.id, duration=duration, text=text, words=words, audio=one.audio
    )


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parse = argparse.ArgumentParser(
        description="Finds when each word of a known text is spoken. Give sets of the "
        "manifests, or audio files with their texts: --text for one file, else "
        "NAME.txt beside each NAME.wav (or in --text-dir). What cannot be aligned is "
        "listed at the end, and the exit status is 1.",
    )
    add = parse.add_argument
    add("--exp-dir", type=Path, required=True, help="folder of the run")
    source = parse.add_mutually_exclusive_group(required=True)
    source.add_argument("--sets", nargs="+", metavar="SET", help="sets to align")
    source.add_argument(
        "--audio", nargs="+", type=Path, metavar="FILE", help="audio files to align"
    )
    add("--text", metavar="WORDS", help="what is said in the one audio file")
    add("--text-dir", type=Path, metavar="DIR", help="folder of the files' NAME.txt")
    add(
        "--normalize",
        choices=[style.value for style in TextStyle],
        default=TextStyle.NONE.value,
        help="librispeech: upper case, no punctuation (default: none)",
    )
    add(
        "--by",
        choices=[by.value for by in By],
        help="what aligns (default: the first of these that the run trains)",
    )
    add_options(parse, default="ctm")
    add("--checkpoint", type=Path, help="another one than the run's average or best")
    add("--manifests", type=Path, help="folder of manifests (default: the run's)")
    add("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    add(
        "--max-seconds",
        type=float,
        default=30.0,
        help="the encoder gets longer audio in pieces, cut at quiet places "
        "(default: 30)",
    )
    return parse
