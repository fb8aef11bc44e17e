"""Exports a recognizer, and proves that what it has exported is the recognizer."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from asrkit.data.batches.batch import Batch
from asrkit.decoding.ctc_greedy import CtcGreedySearch
from asrkit.decoding.greedy import GreedyConfig, GreedySearch
from asrkit.decoding.scoring.score import score
from asrkit.decoding.search import NBest
from asrkit.export.folder import (
    check_contract,
    metadata,
    onnx_name,
    proven_folder,
)
from asrkit.export.networks import CTC, TRANSDUCER, Network, example
from asrkit.export.onnx_file import OnnxNetwork, check_packages, quantize, write_onnx
from asrkit.export.parity import prove_network
from asrkit.export.search import Labels, ctc_greedy, greedy
from asrkit.pipeline.config import Config
from asrkit.pipeline.decode.choose_search import last_loss, validation_search
from asrkit.pipeline.decode.decode_set import pair
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.text.tokenizer import TOKENS_FILE, Tokenizer
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

_SHOWN = 5  # utterances that 8 bits have changed

SMALL = ("encoder", "joiner", "ctc")
"""What has matrix products worth 8 bits."""


def search_greedily(config: Config) -> Config:
    """Replace the run's search by the greedy one, without anything fused."""
    config.decode = validation_search(GreedyConfig(), last_loss(config))
    return config


@dataclass(frozen=True)
class Part:
    """A recognizer of its own in an export: the transducer, or CTC."""

    name: str
    networks: dict[str, type[Network]]
    """File -> what is in it."""
    ours: Callable[[Recognizer, Tensor, Tensor], list[NBest]]
    """Finds labels in enc_out and enc_lens by torch."""
    theirs: Callable[[dict[str, OnnxNetwork], Tensor, Tensor, int], list[Labels]]
    """Finds them in features and lengths by files, after so many labels."""


PARTS = {
    "transducer": Part(
        "transducer",
        TRANSDUCER,
        lambda one, out, lens: GreedySearch(1)(one.model, out, lens),
        lambda run, feats, lens, context: greedy(
            run["encoder"], run["decoder"], run["joiner"], feats, lens, context
        ),
    ),
    "ctc": Part(
        "ctc",
        CTC,
        lambda one, out, lens: CtcGreedySearch()(one.model, out, lens),
        lambda run, feats, lens, _: ctc_greedy(run["ctc"], feats, lens),
    ),
}


def export(
    recognizer: Recognizer, batches: Sequence[Batch], out: Path, *, int8: bool
) -> None:
    """Write what the run trains of transducer and CTC head for sherpa-onnx.

    Args:
        recognizer: On the CPU, with the search of `search_greedily`.
        batches: Utterances on which the files have to find what the model finds.
        out: Folder of the files.
        int8: Write files of 8 bits, too, and say what they change.

    Raises:
        InputError: sherpa-onnx cannot run this model, or a file is not equal to it;
            then nothing has been written.
    """
    check_packages()
    check_contract(recognizer.model, recognizer.features)
    loss = last_loss(recognizer.config)
    with proven_folder(out) as folder:
        for part in (PARTS[name] for name in PARTS if name in loss.trained):
            write_part(recognizer, part, folder)
            prove_tensors(recognizer, part, folder)
            prove_labels(recognizer, part, folder, batches)
            if int8:
                write_small(part, folder)
                compare_small(recognizer, part, folder, batches)
        if loss.paths is Topology.REGULAR:
            warn_of_topology(recognizer, batches)
        content = recognizer.tokenizer.files()[TOKENS_FILE]
        (folder / TOKENS_FILE).write_bytes(content)
    logger.info("exported and proven equal: %s", out)


def write_part(recognizer: Recognizer, part: Part, folder: Path) -> None:
    """Write a part's networks."""
    says = metadata(recognizer.model, recognizer.features)
    for name, network in part.networks.items():
        inputs = example(recognizer.model, network)
        write_onnx(folder / onnx_name(name), network(recognizer.model), inputs, says)


def prove_tensors(recognizer: Recognizer, part: Part, folder: Path) -> None:
    """Compare each file with its network.

    Raises:
        InputError: They are not equal.
    """
    for name, network in part.networks.items():
        file = onnx_name(name)
        run = OnnxNetwork(folder / file)
        model = recognizer.model
        apart = prove_network(file, model, network(model), run)
        logger.info("%s: differs from the model by %.1g at most", file, apart)


def prove_labels(
    recognizer: Recognizer, part: Part, folder: Path, batches: Sequence[Batch]
) -> None:
    """Compare what the files and the model find in utterances: labels and frames.

    Raises:
        InputError: It is not the same.
    """
    networks = open_networks(part, folder, int8=False)
    heard: list[list[int]] = []
    for batch in batches:
        theirs = find(recognizer, part, networks, batch)
        ours = part.ours(recognizer, *recognizer.encode(batch))
        for utterance, nbest, labels in zip(batch.ids, ours, theirs, strict=True):
            found = list(zip(nbest[0].tokens, nbest[0].frames, strict=True))
            if found != labels:
                raise InputError(
                    f"the {part.name}'s files find {text_of(recognizer, labels)!r} in "
                    f"{utterance}, the model {text_of(recognizer, found)!r}, or other "
                    "times; nothing is exported"
                )
            heard.append(nbest[0].tokens)
    logger.info(
        "%s: labels and times are equal in %d utterances", part.name, len(heard)
    )
    warn_of_text(recognizer.tokenizer, heard)


def write_small(part: Part, folder: Path) -> None:
    """Write a part's files of 8 bits."""
    for name in part.networks:
        if name in SMALL:
            source, path = (folder / onnx_name(name, int8=x) for x in (False, True))
            quantize(source, path)
            logger.info(
                "%s: %.2f MB, %s %.2f MB",
                source.name, source.stat().st_size / 1e6,
                path.name, path.stat().st_size / 1e6,
            )  # fmt: skip


def compare_small(
    recognizer: Recognizer, part: Part, folder: Path, batches: Sequence[Batch]
) -> None:
    """Say what 8 bits change in utterances."""
    before, after = (
        [
            one
            for batch in batches
            for one in pair(batch, texts(recognizer, part, networks, batch))
        ]
        for networks in (open_networks(part, folder, int8=x) for x in (False, True))
    )
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a.hyp != b.hyp]
    logger.info(
        "%s, 8 bits: WER %.2f, was %.2f; %d of %d utterances are changed",
        part.name, score(after).wer, score(before).wer, len(changed), len(after),
    )  # fmt: skip
    for a, b in changed[:_SHOWN]:
        logger.info("  %s: %r, was %r", a.id, " ".join(b.hyp), " ".join(a.hyp))


def open_networks(part: Part, folder: Path, *, int8: bool) -> dict[str, OnnxNetwork]:
    """Open a part's files, those of 8 bits where there are any."""
    return {
        name: OnnxNetwork(folder / onnx_name(name, int8=int8 and name in SMALL))
        for name in part.networks
    }


def find(
    recognizer: Recognizer, part: Part, networks: dict[str, OnnxNetwork], batch: Batch
) -> list[Labels]:
    """Find labels with a part's files."""
    feats, lens = batch.features(recognizer.features)
    context = recognizer.model.predictor.context_size
    return part.theirs(networks, feats, lens, context)


def texts(
    recognizer: Recognizer, part: Part, networks: dict[str, OnnxNetwork], batch: Batch
) -> list[str]:
    """Write what a part's files find as text."""
    found = find(recognizer, part, networks, batch)
    return [text_of(recognizer, labels) for labels in found]


def text_of(recognizer: Recognizer, labels: Labels) -> str:
    """Write labels as text."""
    return recognizer.tokenizer.decode([label for label, _ in labels])


def warn_of_text(tokenizer: Tokenizer, heard: Sequence[Sequence[int]]) -> None:
    """Say once where pieces in a row are not the text: sherpa-onnx has only those."""
    for labels in heard:
        joined = "".join(tokenizer.tokens[label] for label in labels)
        theirs = " ".join(joined.replace("▁", " ").split())
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
    own, one = [], []
    for batch in batches:
        encoded = recognizer.encode(batch)
        own += pair(
            batch, recognizer.texts(recognizer.search(recognizer.model, *encoded))
        )
        found = PARTS["transducer"].ours(recognizer, *encoded)
        one += pair(batch, recognizer.texts(found))
    logger.warning(
        "this run has loss.topology=REGULAR, several labels a frame, but sherpa-onnx "
        "emits one: WER %.2f instead of %.2f here; train what is to be exported with "
        "loss.topology=MONOTONIC",
        score(one).wer,
        score(own).wer,
    )
