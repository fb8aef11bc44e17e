"""Runs a part's files on utterances and says what they find otherwise."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import kaldialign
import torch
from torch import Tensor

from asrkit.data.batches.batch import Batch
from asrkit.decoding.scoring.score import error_rate
from asrkit.export import sherpa
from asrkit.export.folder import onnx_name
from asrkit.export.gate import FLOAT, INT8, Case, Variant
from asrkit.export.onnx_file import OnnxNetwork
from asrkit.export.parity import apart, largest_difference
from asrkit.pipeline.decode.decode_set import pair
from asrkit.pipeline.export.parts import Heard, Part, expectation
from asrkit.pipeline.export.text import text_of
from asrkit.runtime.transcript import Labels
from asrkit.text.tokenizer import TOKENS_FILE

SMALL = ("joiner",)
"""What else than a part's acoustic file has products worth 8 bits."""


@dataclass
class Measure:
    """A part, and what the model finds in utterances; measures files against it.

    Args:
        part: What is exported.
        batches: The utterances.
    """

    part: Part
    batches: Sequence[Batch]

    @cached_property
    def expected(self) -> list[tuple[Heard, Tensor, Tensor, list[Labels]]]:
        """What the model makes of each batch."""
        return [expectation(self.part, batch) for batch in self.batches]

    @cached_property
    def model(self) -> Variant:
        """The model itself."""
        labels = [rows for *_, rows in self.expected]
        return self._variant("torch", FLOAT, labels, difference=0.0, size=None)

    def files(self, folder: Path, bits: str) -> dict[str, Path]:
        """Return the part's files: those of 8 bits where there are any."""
        small = (self.part.acoustic, *SMALL) if bits == INT8 else ()
        return {
            name: folder / onnx_name(name, int8=name in small)
            for name in self.part.networks
        }

    def onnxruntime(self, folder: Path, bits: str) -> Variant:
        """Run the files with onnxruntime.

        In float they are compared with the model for inputs of other sizes, too.
        """
        files = self.files(folder, bits)
        runs = {name: OnnxNetwork(path) for name, path in files.items()}
        found, difference = [], 0.0
        for heard, ours, enc_lens, _ in self.expected:
            theirs = self.part.encode(runs[self.part.acoustic], heard)
            found.append(self.part.search(runs, theirs, enc_lens))
            inside = torch.arange(ours.shape[1]) < enc_lens[:, None]
            difference = max(difference, apart(ours[inside], theirs[inside]))
        if bits == FLOAT:
            for name, network in self.part.networks.items():
                probed = largest_difference(files[name].name, network, runs[name])
                difference = max(difference, probed)
        size = _size(files)
        return self._variant("onnxruntime", bits, found, difference, size)

    def sherpa(self, folder: Path, bits: str) -> Variant:
        """Run the files with sherpa-onnx, which computes features itself."""
        files = self.files(folder, bits)
        recognizer = self.part.recognizer
        found = sherpa.find(
            self.part.sherpa(files, folder / TOKENS_FILE),
            [samples for heard, *_ in self.expected for samples in heard.audio],
            recognizer.features.sampling_rate,
            recognizer.tokenizer.tokens,
        )
        rest = iter(found)
        rows = [[next(rest) for _ in batch.ids] for batch in self.batches]
        return self._variant("sherpa-onnx", bits, rows, None, _size(files))

    def encoder_error(self, run: OnnxNetwork, batches: int) -> float:
        """Return the relative error of what an acoustic file gives in some batches."""
        error = power = 0.0
        for heard, ours, enc_lens, _ in self.expected[:batches]:
            theirs = self.part.encode(run, heard)
            inside = torch.arange(ours.shape[1]) < enc_lens[:, None]
            error += float((theirs - ours)[inside].square().sum())
            power += float(ours[inside].square().sum())
        return (error / power) ** 0.5

    def _variant(
        self,
        engine: str,
        bits: str,
        found: Iterable[Sequence[Labels]],
        difference: float | None,
        size: int | None,
    ) -> Variant:
        """Compare what was found in each batch with what the model finds."""
        recognizer, hypotheses, cases = self.part.recognizer, [], []
        tokens = different = moved = 0
        unit = recognizer.config.decode.unit
        triples = zip(self.batches, self.expected, found, strict=True)
        for batch, (*_, expected), rows in triples:
            texts = [text_of(recognizer, labels) for labels in rows]
            hypotheses += pair(batch, texts)
            for utterance, ours, theirs, text in zip(
                batch.ids, expected, rows, texts, strict=True
            ):
                apart_by = edits(ours, theirs)
                tokens, different = tokens + len(ours), different + apart_by
                if apart_by:
                    cases.append(Case(utterance, text, text_of(recognizer, ours)))
                else:
                    moved += sum(a != b for a, b in zip(ours, theirs, strict=True))
        return Variant(
            part=self.part.name, engine=engine, bits=bits, difference=difference,
            tokens=tokens, different=different, moved=moved,
            rate=error_rate(hypotheses, unit), rate_name=unit.rate, size=size,
            cases=cases,
        )  # fmt: skip


def edits(ours: Labels, theirs: Labels) -> int:
    """Return how many labels are to be inserted, deleted or replaced."""
    one, other = ([str(label) for label, _ in labels] for labels in (ours, theirs))
    return 0 if one == other else kaldialign.edit_distance(one, other)["total"]


def _size(files: dict[str, Path]) -> int:
    return sum(path.stat().st_size for path in files.values())
