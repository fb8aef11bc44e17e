"""What exported files find, as text, and what they cannot write as asrkit does."""

import logging
from collections.abc import Sequence

import torch

from asrkit.data.batches.batch import Batch
from asrkit.decoding.greedy import GreedySearch
from asrkit.decoding.scoring.score import Hypothesis, error_rate
from asrkit.pipeline.decode.decode_set import pair
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.runtime.transcript import Labels, join
from asrkit.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)


def text_of(recognizer: Recognizer, labels: Labels) -> str:
    """Write labels as text."""
    return recognizer.tokenizer.decode([label for label, _ in labels])


def warn_of_text(tokenizer: Tokenizer, heard: Sequence[Sequence[int]]) -> None:
    """Say once where pieces in a row are not the text: sherpa-onnx has only those."""
    for labels in heard:
        theirs = join(tokenizer.tokens[label] for label in labels)
        if theirs != (ours := tokenizer.decode(labels)):
            logger.warning(
                "sherpa-onnx writes %r where asrkit writes %r: it puts tokens in a row",
                theirs,
                ours,
            )
            return


@torch.inference_mode()
def warn_of_topology(recognizer: Recognizer, batches: Sequence[Batch]) -> None:
    """Say what it costs that sherpa-onnx emits one label a frame at most."""
    own: list[Hypothesis] = []
    one: list[Hypothesis] = []
    for batch in batches:
        encoded = recognizer.encode(batch)
        searches = recognizer.search, GreedySearch(1)
        for search, hypotheses in zip(searches, (own, one), strict=True):
            texts = recognizer.texts(search(recognizer.model, *encoded))
            hypotheses += pair(batch, texts)
    unit = recognizer.config.decode.unit
    logger.warning(
        "this run has loss.topology=REGULAR, several labels a frame, but sherpa-onnx "
        "emits one: %s %.2f instead of %.2f here; train what is to be exported with "
        "loss.topology=MONOTONIC",
        unit.rate,
        error_rate(one, unit),
        error_rate(own, unit),
    )
