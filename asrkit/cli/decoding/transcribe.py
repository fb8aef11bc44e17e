"""`scripts/transcribe.py FILE... --exp-dir exp/x`: audio files to text."""

import argparse
import logging
import time
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from asrkit.cli.decoding import stream_options
from asrkit.cli.decoding.stream import stream
from asrkit.cli.logs import start_logging
from asrkit.cli.output import Output, add_options
from asrkit.cli.overrides import apply_overrides
from asrkit.data.audio.files import cut_pieces, read_audio
from asrkit.data.features.fbank import num_frames
from asrkit.decoding.search import Hypothesis, NBest
from asrkit.decoding.transcripts.formats import FORMATS
from asrkit.decoding.transcripts.transcript import Alternative, Piece, Transcript
from asrkit.decoding.transcripts.words import Word, find_words
from asrkit.pipeline.config import Config
from asrkit.pipeline.decode.aligner import Aligner, audio_batch
from asrkit.pipeline.decode.recognizer import Recognizer, load_recognizer
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.text.characters import join_words
from asrkit.training.distributed import choose_device
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Transcribe; the status is 2 when a file could not be read."""
    args = parser().parse_args(argv)
    start_logging(None, "transcribe")
    output = Output(args.format, args.out, several=len(args.files) > 1)
    stream_options.check_options(args)
    if args.format != "text":
        check_names(args.files)
    recognizer = load_recognizer(
        args.checkpoint or find_checkpoint(args.exp_dir),
        choose_device(args.device),
        change=lambda config: _change(config, args),
    )
    if args.stream:
        return 2 if stream(args, recognizer, output) else 0
    aligner = None
    if args.align:
        aligner = Aligner(recognizer, None, args.max_seconds)
    rate, failed = recognizer.features.sampling_rate, 0
    start, seconds = time.monotonic(), 0.0
    for path in args.files:
        try:
            audio = read_audio(path, rate, args.channel)
        except InputError as error:
            logger.error("error: %s", error)
            failed += 1
            continue
        one = transcribe(recognizer, audio, path, args.max_seconds, aligner)
        seconds += one.duration
        output.add(one)
    output.close()
    rtfx = seconds / (time.monotonic() - start)
    logger.info("%.1f s of audio, RTFx %.1f, %d failed", seconds, rtfx, failed)
    return 2 if failed else 0


def _change(config: Config, args: argparse.Namespace) -> Config:
    """Apply what the command line says of the search."""
    config = apply_overrides(config, [*args.decode, *stream_options.overrides(args)])
    return stream_options.chunked(config) if args.stream else config


def check_names(paths: list[Path]) -> None:
    """Refuse files that formats with names alone could not tell apart."""
    first: dict[str, Path] = {}
    for path in paths:
        if first.setdefault(path.stem, path) is not path:
            raise InputError(
                f"{first[path.stem]} and {path} have the same name; rename one of "
                "them, or transcribe them one by one"
            )


def transcribe(
    recognizer: Recognizer,
    audio: Tensor,
    path: Path,
    max_seconds: float,
    aligner: Aligner | None,
) -> Transcript:
    """Transcribe audio (S,) of any length.

    Args:
        recognizer: What transcribes.
        audio: (S,).
        path: Where it came from.
        max_seconds: Longest piece to search at once.
        aligner: Finds the words' times; None takes those of their emission.
    """
    rate = recognizer.features.sampling_rate
    bounds = [
        (a, b)
        for a, b in cut_pieces(audio, rate, max_seconds)
        if num_frames(b - a, rate)
    ]
    at_once = max(1, int(recognizer.config.decode.max_duration / max_seconds))
    texts: list[str] = []
    words: list[Word] = []
    pieces: list[Piece] = []
    for first in range(0, len(bounds), at_once):
        some = bounds[first : first + at_once]
        samples = [audio[a:b] for a, b in some]
        found = recognizer.find(audio_batch(samples, rate))
        best = [nbest[0] for nbest in found]
        if aligner is not None:
            best = realign(best, samples, aligner, path)
        for (a, b), nbest, one in zip(some, found, best, strict=True):
            texts.append(one.text(recognizer.tokenizer))
            words += find_words(
                recognizer.tokenizer,
                one.tokens,
                one.frames,
                one.confidences,
                frame_seconds=recognizer.frame_seconds,
                duration=(b - a) / rate,
                offset=a / rate,
                texts=one.words,
                ends=one.ends,
            )
            pieces.append(_piece(recognizer, nbest, a / rate, b / rate))
    return Transcript(
        id=path.stem,
        duration=len(audio) / rate,
        text=join_words(text for text in texts if text),
        words=words,
        audio=str(path),
        pieces=pieces if any(len(piece.nbest) > 1 for piece in pieces) else [],
    )


def realign(
    best: list[Hypothesis], samples: list[Tensor], aligner: Aligner, path: Path
) -> list[Hypothesis]:
    """Replace the frames of emission by those of forced alignment."""
    spoken = [i for i, one in enumerate(best) if one.tokens]
    if not spoken:
        return best
    aligned = aligner.align(
        [samples[i] for i in spoken], [best[i].tokens for i in spoken]
    )
    times = list(best)
    for i, found in zip(spoken, aligned, strict=True):
        if found is None:
            logger.warning("%s: a piece with more labels than frames stays", path)
        else:
            times[i] = replace(found, words=best[i].words)
    return times


def _piece(recognizer: Recognizer, nbest: NBest, start: float, end: float) -> Piece:
    tokenizer = recognizer.tokenizer
    alternatives = [Alternative(one.text(tokenizer), one.score) for one in nbest]
    return Piece(start, end, alternatives)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parse = argparse.ArgumentParser(
        description="Turns audio files into text: one line FILE<tab>TEXT each, or "
        f"{', '.join(name for name in FORMATS if name != 'text')} with times. Any "
        "rate, and any format that libsndfile reads (wav, flac, ogg, opus, mp3...) or, "
        "where it is installed, ffmpeg (m4a, webm, aac, amr, video); long files are "
        "cut at quiet places."
    )
    add = parse.add_argument
    add(
        "files",
        nargs="*",
        type=Path,
        help="audio files; with --stream also -, standard input: WAV or raw 16-bit "
        "samples at the model's rate",
    )
    add("--exp-dir", type=Path, required=True, help="folder of the run")
    add_options(parse, default="text")
    add(
        "--align",
        action="store_true",
        help="take words' times from forced alignment of the result, not from the "
        "search",
    )
    add(
        "--channel",
        type=int,
        metavar="N",
        help="of the files, from 0 (default: the mean of all channels)",
    )
    add("--checkpoint", type=Path, help="another one than the run's average or best")
    add("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    add("--max-seconds", type=float, default=25.0, help="longest piece (default: 25)")
    add("--decode", nargs="*", default=[], metavar="key=value", help="search settings")
    stream_options.add_options(parse)
    return parse
