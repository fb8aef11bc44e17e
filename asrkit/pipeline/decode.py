"""Decodes test sets: hypotheses, scores, and the files users expect."""

import json
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lhotse import CutSet

from asrkit.data.batch import Batch
from asrkit.data.loader import make_loader
from asrkit.data.plan import plan_once
from asrkit.decoding.scoring.html_report import Decoded
from asrkit.decoding.scoring.score import Hypothesis, score
from asrkit.decoding.scoring.wer_files import (
    log_line,
    results_entry,
    update_results,
    write_decode_files,
)
from asrkit.decoding.search import NBest
from asrkit.pipeline.recognizer import Recognizer
from asrkit.training.distributed import World
from asrkit.training.tensorboard import peak_memory_gb
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)


def decode_set(
    recognizer: Recognizer, cuts: CutSet, set_name: str, exp_dir: Path, world: World
) -> Decoded | None:
    """Decode and score a set; write exp_dir/decode/METHOD/ and results.json there.

    The processes of `world` share the set; the first one scores and writes. The time
    that RTFx counts is everything from the audio files to the text.

    Args:
        recognizer: What decodes.
        cuts: Utterances with their reference.
        set_name: Name of the set in files and log lines.
        exp_dir: Folder of the run.
        world: This process among its like.

    Returns:
        The set with its score, on the first process; None on the others.

    Raises:
        InputError: The set is empty.
    """
    if next(iter(cuts), None) is None:
        raise InputError(f"the set {set_name!r} is empty: there is nothing to decode")
    start = time.monotonic()
    hypotheses: list[Hypothesis] = []
    nbests: list[dict[str, Any]] = []
    for batch in open_batches(recognizer, cuts, world):
        found = recognizer.find(batch)
        hypotheses += pair(batch, recognizer.texts(found))
        if recognizer.config.decode.keeps_nbest:
            nbests += describe_nbests(recognizer, batch, found)
    shares = world.gather((hypotheses, nbests))
    if not world.is_main:
        return None
    hypotheses = [one for share, _ in shares for one in share]
    nbests = [one for _, share in shares for one in share]
    seconds = sum(one.duration or 0.0 for one in hypotheses)
    rtfx = seconds / (time.monotonic() - start)
    scored = score(hypotheses)
    method = recognizer.config.decode.method
    folder = exp_dir / "decode" / method
    write_decode_files(folder, set_name, method, hypotheses, scored)
    if nbests:
        write_nbests(folder / f"nbest-{set_name}.jsonl", nbests)
    memory = peak_memory_gb(world.device) * 1e9 / 2**20
    entry = results_entry(set_name, method, scored, rtfx, memory)
    update_results(exp_dir / "decode" / "results.json", entry)
    logger.info("%s", log_line(set_name, method, scored, rtfx, memory))
    if scored.empty:
        logger.info("%d utterances have an empty hypothesis", scored.empty)
    return Decoded(set_name, method, scored, rtfx, memory)


def open_batches(recognizer: Recognizer, cuts: CutSet, world: World) -> Iterator[Batch]:
    """Read this process's share of cuts in batches, like lengths together."""
    config = recognizer.config
    planned = plan_once(
        cuts,
        max_duration=config.decode.max_duration,
        rank=world.rank,
        world_size=world.size,
    )
    loader = make_loader(
        planned,
        recognizer.tokenizer,
        config.features.sampling_rate,
        augment=None,
        stored_features=False,
        num_workers=min(2, config.data.num_workers),
        prefetch=config.data.prefetch,
    )
    return (batch for batch, _ in loader)


def pair(batch: Batch, texts: Iterable[str]) -> list[Hypothesis]:
    """Put a batch's references and hypotheses side by side."""
    rows = zip(
        batch.ids, batch.texts, texts, batch.speakers, batch.durations, strict=True
    )
    return [
        Hypothesis(
            id=utterance,
            ref=ref.split(),
            hyp=hyp.split(),
            speaker=speaker,
            duration=duration,
        )
        for utterance, ref, hyp, speaker, duration in rows
    ]


def describe_nbests(
    recognizer: Recognizer, batch: Batch, found: Sequence[NBest]
) -> list[dict[str, Any]]:
    """Return each utterance's n-best list as plain values."""
    return [
        {
            "id": utterance,
            "ref": ref,
            "nbest": [
                {
                    "text": one.text(recognizer.tokenizer),
                    "score": round(one.score, 4),
                    "tokens": one.tokens,
                }
                for one in nbest
            ],
        }
        for utterance, ref, nbest in zip(batch.ids, batch.texts, found, strict=True)
    ]


def write_nbests(path: Path, nbests: Iterable[dict[str, Any]]) -> None:
    """Write n-best lists, one JSON object a line, sorted by utterance."""
    with atomic_write(path) as file:
        for one in sorted(nbests, key=lambda one: str(one["id"])):
            file.write((json.dumps(one, ensure_ascii=False) + "\n").encode())
