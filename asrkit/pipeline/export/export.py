"""Exports a recognizer, and proves that what it has exported is the recognizer."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from asrkit.data.batches.batch import Batch
from asrkit.decoding.greedy import GreedyConfig
from asrkit.export import sherpa
from asrkit.export.folder import (
    check_contract,
    metadata,
    onnx_name,
    proven_folder,
)
from asrkit.export.gate import FLOAT, INT8, Variant, failures, table
from asrkit.export.onnx_file import check_packages, write_onnx
from asrkit.export.parity_file import Exported, read_parity, versions, write_parity
from asrkit.models.chunks import Chunking
from asrkit.pipeline.config import Config
from asrkit.pipeline.decode.choose_search import last_loss, validation_search
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.pipeline.export.measure import Measure
from asrkit.pipeline.export.parts import PARTS, Part, StreamPart
from asrkit.pipeline.export.small import write_all_small
from asrkit.pipeline.export.text import warn_of_text, warn_of_topology
from asrkit.text.tokenizer import TOKENS_FILE
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

_SHOWN = 20  # differences in the log


def search_greedily(config: Config) -> Config:
    """Replace the run's search by the greedy one, without anything fused."""
    loss = last_loss(config)
    config.decode = validation_search(GreedyConfig(), loss, config.joiner)
    return config


@dataclass(frozen=True)
class Utterances:
    """What an export is proven on."""

    name: str
    """The set."""
    batches: Sequence[Batch]

    def as_plain(self) -> dict[str, object]:
        """Return what is said of it."""
        count = sum(len(batch.ids) for batch in self.batches)
        seconds = round(sum(batch.seconds for batch in self.batches), 1)
        return {"set": self.name, "utterances": count, "seconds": seconds}


def export(
    recognizer: Recognizer,
    utterances: Utterances,
    out: Path,
    *,
    int8: bool,
    streaming: Chunking | None = None,
    allow_difference: bool = False,
) -> None:
    """Write what the run trains of transducer and CTC head for sherpa-onnx.

    Args:
        recognizer: On the CPU, with the search of `search_greedily`.
        utterances: What the files have to find in these is what the model finds.
        out: Folder of the files.
        int8: Write files of 8 bits, too.
        streaming: Write an encoder for streams with such chunks, too.
        allow_difference: Write what is not equal, too, and say so.

    Raises:
        InputError: sherpa-onnx cannot run this model, or a file is not equal to it;
            then nothing has been written.
    """
    check_packages()
    check_contract(recognizer.model, recognizer.features)
    trained = [name for name in PARTS if name in last_loss(recognizer.config).trained]
    parts = make_parts(recognizer, trained, streaming)
    measures = [Measure(part, utterances.batches) for part in parts]
    with proven_folder(out) as folder:
        write_files(parts, folder)
        kept = write_all_small(measures, folder) if int8 else {}
        variants = prove(measures, folder, int8=int8)
        failed = judge(variants)
        if failed and not allow_difference:
            raise InputError(
                f"{'; '.join(failed)}. Nothing is exported; --allow-difference does it "
                "all the same"
            )
        exported = Exported(
            parts=trained,
            streaming=None if streaming is None else asdict(streaming),
            int8=int8,
            kept_in_float=kept,
        )
        write_parity(folder, exported, variants, failed, utterances.as_plain())
    warn(recognizer, measures, utterances.batches)
    if failed:
        for line in failed:
            logger.warning("%s", line)
        logger.warning("exported with differences, as you allow: %s", out)
    else:
        logger.info("exported and proven: %s", out)


def check(recognizer: Recognizer, utterances: Utterances, out: Path) -> None:
    """Prove an export again, with the packages and on the machine that are here.

    Raises:
        InputError: It is not whole, or not equal to the model.
    """
    check_packages()
    content = read_parity(out)
    for name, here in versions().items():
        if (then := content["versions"].get(name)) != here:
            logger.warning("%s was %s when %s was made, is %s", name, then, out, here)
    exported = Exported(**content["exported"])
    streaming = Chunking(**exported.streaming) if exported.streaming else None
    parts = make_parts(recognizer, exported.parts, streaming)
    measures = [Measure(part, utterances.batches) for part in parts]
    if failed := judge(prove(measures, out, int8=exported.int8)):
        raise InputError(f"{out} is not the model: {'; '.join(failed)}; export again")
    logger.info("proven again: %s", out)


def make_parts(
    recognizer: Recognizer, names: Iterable[str], streaming: Chunking | None
) -> list[Part]:
    """Return what is exported.

    Raises:
        InputError: Streams need a transducer, and there is none.
    """
    parts: list[Part] = [PARTS[name](recognizer) for name in names]
    if streaming is None:
        return parts
    if "transducer" not in names:
        raise InputError(
            "--streaming needs a transducer, and this run trains CTC alone; train with "
            "loss.weights.transducer above 0"
        )
    size, left = streaming.size, streaming.left or 0
    return [*parts, StreamPart(recognizer, size=size, left=left)]


def write_files(parts: Sequence[Part], folder: Path) -> None:
    """Write all networks in float, and the tokenizer's files."""
    recognizer = parts[0].recognizer
    networks = {name: one for part in parts for name, one in part.networks.items()}
    for name, network in networks.items():
        says = metadata(recognizer.model, recognizer.features) | network.metadata()
        write_onnx(folder / onnx_name(name), network, network.example(), says)
    tokenizer = recognizer.tokenizer
    (folder / TOKENS_FILE).write_bytes(tokenizer.files()[TOKENS_FILE])
    for name, content in tokenizer.hotword_files().items():
        (folder / name).write_bytes(content)


def prove(measures: Sequence[Measure], folder: Path, *, int8: bool) -> list[Variant]:
    """Run all there is to run and log the table."""
    if not sherpa.is_installed():
        logger.info("sherpa-onnx is not installed: proven with onnxruntime alone")
    variants = []
    for one in measures:
        variants.append(one.model)
        for bits in (FLOAT, INT8) if int8 else (FLOAT,):
            variants.append(one.onnxruntime(folder, bits))
            if sherpa.is_installed():
                variants.append(one.sherpa(folder, bits))
    for line in table(variants):
        logger.info("%s", line)
    return variants


def judge(variants: Sequence[Variant]) -> list[str]:
    """Name the utterances that differ, and return what is beyond the limits."""
    for one in variants:
        for case in one.cases[:_SHOWN]:
            logger.info(
                "%s, %s: %r, the model %r", one.name, case.id, case.found, case.model
            )
    return failures(variants)


def warn(
    recognizer: Recognizer, measures: Sequence[Measure], batches: Sequence[Batch]
) -> None:
    """Say what sherpa-onnx does otherwise than asrkit, whatever the files."""
    heard = [
        [label for label, _ in labels]
        for *_, rows in measures[0].expected
        for labels in rows
    ]
    warn_of_text(recognizer.tokenizer, heard)
    if last_loss(recognizer.config).paths is Topology.REGULAR:
        warn_of_topology(recognizer, batches)
