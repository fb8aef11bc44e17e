"""Files of 8 bits, with blocks in float where 8 bits cost too many words."""

import logging
from collections.abc import Sequence
from pathlib import Path

from asrkit.export import sherpa
from asrkit.export.folder import onnx_name
from asrkit.export.gate import INT8, POINTS
from asrkit.export.onnx_file import OnnxNetwork, products, quantize
from asrkit.pipeline.export.measure import SMALL, Measure

logger = logging.getLogger(__name__)

_BATCHES = 4
"""What the error of a block is measured on."""


def write_all_small(measures: Sequence[Measure], folder: Path) -> dict[str, list[str]]:
    """Write files of 8 bits; return the blocks that stay in float, by part."""
    kept: dict[str, list[str]] = {}
    for one in measures:
        # The parts share their joiner.
        shared = [name for name in SMALL if any(name in x for x in kept.values())]
        kept[one.part.name] = write_small(one, folder, shared)
    return {name: blocks for name, blocks in kept.items() if blocks}


def write_small(measure: Measure, folder: Path, shared: list[str]) -> list[str]:
    """Write a part's files of 8 bits; return the blocks that stay in float.

    All products are of 8 bits at first. As long as that costs more words than is
    allowed, the block whose 8 bits alone change most of what the acoustic file gives
    is taken back, and the next; at last the joiner. If nothing helps, all are of 8
    bits, but for what another part has in float and shares.
    """
    part, rate = measure.part, measure.model.rate
    name = measure.model.rate_name
    kept = list(shared)
    order: list[str] | None = None
    while (found := _try(measure, folder, kept)) - rate > POINTS:
        if order is None:
            order = worst_first(measure, folder)
            order += [one for one in SMALL if one in part.networks and one not in kept]
        if not order:
            logger.warning(
                "%s: with all in float %s is %.2f instead of %.2f, too: 8 bits it is",
                part.name, name, found, rate,
            )  # fmt: skip
            _try(measure, folder, shared)
            return shared
        kept.append(order.pop(0))
        logger.info(
            "%s: with 8 bits %s %.2f instead of %.2f, more than %g points: %s stays "
            "in float",
            part.name, name, found, rate, POINTS, kept[-1],
        )  # fmt: skip
    return kept


def _try(measure: Measure, folder: Path, kept: list[str]) -> float:
    """Write files of 8 bits but for some blocks; return their error rate.

    It is the larger one of two engines: they round differently.
    """
    for name in (measure.part.acoustic, *SMALL):
        if name in measure.part.networks:
            source = folder / onnx_name(name)
            keep = products(source).keys() & set(kept)
            quantize(source, folder / onnx_name(name, int8=True), keep=keep)
    found = measure.onnxruntime(folder, INT8).rate
    if not sherpa.is_installed():
        return found
    return max(found, measure.sherpa(folder, INT8).rate)


def worst_first(measure: Measure, folder: Path) -> list[str]:
    """Return the blocks, the one first whose 8 bits alone change most."""
    acoustic = folder / onnx_name(measure.part.acoustic)
    trial = folder / "trial.onnx"
    blocks = list(products(acoustic))
    errors = {}
    for block in blocks:
        quantize(acoustic, trial, keep=[one for one in blocks if one != block])
        errors[block] = measure.encoder_error(OnnxNetwork(trial), _BATCHES)
        logger.info("%s, 8 bits: relative error %.2g", block, errors[block])
    trial.unlink()
    return sorted(blocks, key=errors.__getitem__, reverse=True)
