"""Decodes test sets: hypotheses, scores, and the files users expect."""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lhotse import CutSet
from lhotse.cut import Cut

from asrkit.data.audio.unreadable import source_of
from asrkit.data.batches.batch import Batch
from asrkit.data.batches.cuts import plan_once
from asrkit.data.batches.loader import make_loader
from asrkit.data.left_out import LeftOut, LeftOutList, write_left_out
from asrkit.data.report.ids import check_ids
from asrkit.decoding.scoring.hints import hints
from asrkit.decoding.scoring.html_report import Decoded
from asrkit.decoding.scoring.score import Hypothesis, score
from asrkit.decoding.scoring.wer_files import (
    log_line,
    results_entry,
    update_results,
    write_decode_files,
)
from asrkit.decoding.search import NBest
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.text.round_trip import Change, RoundTrip, describe_change
from asrkit.text.tokenizer import UNK_ID, Tokenizer
from asrkit.training.distributed import World
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write
from asrkit.utils.memory import peak_memory

logger = logging.getLogger(__name__)

_CHANGES = 10  # listed in a warning


def decode_set(
    recognizer: Recognizer, cuts: CutSet, set_name: str, exp_dir: Path, world: World
) -> Decoded | None:
    """Decode and score a set; write exp_dir/decode/METHOD/ and results.json there.

    The processes of `world` share the set; the first one scores and writes. The time
    that RTFx counts is everything from the audio files to the text. An utterance that
    cannot be read, or is longer than data.max_test_seconds, is listed, and all its
    words count as deleted.

    Args:
        recognizer: What decodes.
        cuts: Utterances with their reference.
        set_name: Name of the set in files and log lines.
        exp_dir: Folder of the run.
        world: The processes that work together, and this one's rank.

    Returns:
        The set with its score, on the first process; None on the others.

    Raises:
        InputError: The set is empty, or nothing of it can be read.
    """
    if next(iter(cuts), None) is None:
        raise InputError(f"the set {set_name!r} is empty: there is nothing to decode")
    start = time.monotonic()
    shares = world.gather(decode_share(recognizer, cuts, world))
    hypotheses = [one for share, _, _ in shares for one in share]
    left_out = [row for _, _, share in shares for row in share]
    if not hypotheses:
        first = left_out[0]
        raise InputError(
            f"no utterance of the set {set_name!r} can be decoded; the first, "
            f"{first.id} ({first.path}): {first.reason}"
        )
    if not world.is_main:
        return None
    seconds = sum(one.duration or 0.0 for one in hypotheses)
    rtfx = seconds / (time.monotonic() - start)
    if left_out:
        hypotheses += all_deleted(cuts, {row.id for row in left_out})
    scored = score(hypotheses, recognizer.config.decode.unit)
    method = recognizer.config.decode.method
    folder = exp_dir / "decode" / method
    write_decode_files(folder, set_name, method, hypotheses, scored)
    listed = folder / f"unreadable-{set_name}.tsv"
    write_left_out(listed, left_out)
    if nbests := [one for _, share, _ in shares for one in share]:
        write_nbests(folder / f"nbest-{set_name}.jsonl", nbests)
    memory = peak_memory(world.device) / 2**20
    entry = results_entry(set_name, method, scored, rtfx, memory)
    entry["unreadable"] = len(left_out)
    update_results(exp_dir / "decode" / "results.json", entry)
    logger.info("%s", log_line(set_name, method, scored, rtfx, memory))
    if left_out:
        logger.warning(
            "%d of these %d utterances could not be decoded, and all their words count "
            "as deleted: %s",
            len(left_out),
            scored.utterances,
            listed,
        )
    if scored.empty:
        logger.info("%d utterances have an empty hypothesis", scored.empty)
    for hint in hints(scored):
        logger.info("%s", hint)
    warn_of_changes(recognizer.tokenizer, hypotheses)
    warn_of_unknown(recognizer.tokenizer, hypotheses)
    return Decoded(set_name, method, scored, rtfx, memory)


def warn_of_changes(tokenizer: Tokenizer, hypotheses: Iterable[Hypothesis]) -> None:
    """Say which references the tokenizer cannot give back: nothing can equal them."""
    round_trip = RoundTrip(tokenizer)
    changed: list[str] = []
    changes: Counter[Change] = Counter()
    for one in hypotheses:
        text = " ".join(one.ref)
        if found := round_trip.changes(text, tokenizer.encode(text)):
            changed.append(one.id)
            changes.update(found)
    if changed:
        logger.warning(
            "%d references (%s...) have what this model cannot write, and which counts "
            "as wrong: %s; write them as it does, or train with another tokenizer",
            len(changed),
            changed[0],
            "; ".join(describe_change(one) for one, _ in changes.most_common(_CHANGES)),
        )


def warn_of_unknown(tokenizer: Tokenizer, hypotheses: Iterable[Hypothesis]) -> None:
    """Say which references have characters or words that the tokenizer lacks."""
    unknown: list[str] = []
    lacking: Counter[str] = Counter()
    for one in hypotheses:
        text = " ".join(one.ref)
        if UNK_ID in tokenizer.encode(text):
            unknown.append(one.id)
            lacking.update(tokenizer.missing(text))
    if unknown:
        listed = (f"{one} in {n}" for one, n in lacking.most_common(_CHANGES))
        logger.warning(
            "%d references (%s...) have %d characters or words that this model's "
            "tokenizer lacks, and which count as wrong: %s%s",
            len(unknown),
            unknown[0],
            len(lacking),
            ", ".join(listed),
            ", ..." if len(lacking) > _CHANGES else "",
        )


def decode_share(
    recognizer: Recognizer, cuts: Iterable[Cut], world: World
) -> tuple[list[Hypothesis], list[dict[str, Any]], list[LeftOut]]:
    """Decode this process's share of a set.

    Returns:
        Hypotheses, n-best lists where they are wanted, and what was not decoded.
    """
    left_out = LeftOutList(max_share=1.0)
    hypotheses: list[Hypothesis] = []
    nbests: list[dict[str, Any]] = []
    for batch in open_batches(recognizer, cuts, world, left_out):
        found = recognizer.find(batch)
        hypotheses += pair(batch, recognizer.texts(found))
        if recognizer.config.decode.keeps_nbest:
            nbests += describe_nbests(recognizer, batch, found)
    return hypotheses, nbests, list(left_out.rows.values())


def open_batches(
    recognizer: Recognizer,
    cuts: Iterable[Cut],
    world: World,
    left_out: LeftOutList | None = None,
) -> Iterator[Batch]:
    """Read this process's share of cuts in batches, like lengths together.

    Args:
        recognizer: What decodes them.
        cuts: Utterances.
        world: The processes that work together, and this one's rank.
        left_out: Takes down what cannot be read or is too long to decode.

    Raises:
        InputError: An id stands for several of them.
    """
    config = recognizer.config
    left_out = left_out or LeftOutList(max_share=1.0)
    kept = without_longer(cuts, config.data.max_test_seconds, world, left_out)
    check_ids(kept, "what is decoded")
    planned = plan_once(
        kept,
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
        timeout=config.data.read_timeout,
        left_out=left_out,
    )
    return (batch for batch, _ in loader)


def without_longer(
    cuts: Iterable[Cut], max_seconds: float, world: World, left_out: LeftOutList
) -> list[Cut]:
    """Return the cuts that are not too long; the first process lists the others."""
    kept: list[Cut] = []
    rows: list[LeftOut] = []
    for cut in cuts:
        if cut.duration <= max_seconds:
            kept.append(cut)
        else:
            reason = (
                f"{cut.duration:g} s, data.max_test_seconds is {max_seconds:g}: "
                "raise it, or cut the recording into pieces"
            )
            rows.append(LeftOut(cut.id, source_of(cut), reason))
    if world.is_main:
        left_out.note(rows, len(rows))
    return kept


def all_deleted(cuts: Iterable[Cut], ids: set[str]) -> list[Hypothesis]:
    """Return utterances as they are scored where nothing was recognized."""
    return [
        Hypothesis(
            id=cut.id,
            ref=(cut.supervisions[0].text or "").split(),
            hyp=[],
            speaker=cut.supervisions[0].speaker,
            duration=cut.duration,
        )
        for cut in cuts
        if cut.id in ids
    ]


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
