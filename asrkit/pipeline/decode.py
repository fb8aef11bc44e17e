"""Decodes test sets: hypotheses, scores, and the files users expect."""

import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from lhotse import CutSet

from asrkit.data.batch import Batch
from asrkit.data.loader import make_loader
from asrkit.data.plan import plan_once
from asrkit.decoding.scoring import Hypothesis, Score, score
from asrkit.decoding.wer_files import (
    log_line,
    results_entry,
    update_results,
    write_decode_files,
)
from asrkit.pipeline.recognizer import Recognizer

logger = logging.getLogger(__name__)


def decode_set(
    recognizer: Recognizer, cuts: CutSet, set_name: str, exp_dir: Path
) -> Score:
    """Decode and score a set; write exp_dir/decode/METHOD/ and results.json there.

    The time that RTFx counts is everything from the audio files to the text.

    Args:
        recognizer: What decodes.
        cuts: Utterances with their reference.
        set_name: Name of the set in files and log lines.
        exp_dir: Folder of the run.
    """
    start = time.monotonic()
    hypotheses: list[Hypothesis] = []
    seconds = 0.0
    for batch in open_batches(recognizer, cuts):
        texts = recognizer.texts(recognizer.find(batch))
        hypotheses += pair(batch, texts)
        seconds += batch.seconds
    rtfx = seconds / (time.monotonic() - start)
    scored = score(hypotheses)
    method = recognizer.config.decode.name
    folder = exp_dir / "decode" / method
    write_decode_files(folder, set_name, method, hypotheses, scored)
    entry = results_entry(set_name, method, scored, rtfx)
    update_results(exp_dir / "decode" / "results.json", entry)
    logger.info("%s", log_line(set_name, method, scored, rtfx))
    return scored


def open_batches(recognizer: Recognizer, cuts: CutSet) -> Iterator[Batch]:
    """Read cuts in batches for the search, like lengths together."""
    config = recognizer.config
    loader = make_loader(
        plan_once(cuts, max_duration=config.decode.max_duration),
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
    rows = zip(batch.ids, batch.texts, texts, batch.speakers, strict=True)
    return [
        Hypothesis(id=utterance, ref=ref.split(), hyp=hyp.split(), speaker=speaker)
        for utterance, ref, hyp, speaker in rows
    ]
