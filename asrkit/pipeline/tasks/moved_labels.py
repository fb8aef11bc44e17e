"""How far the alignment of dev has moved since the validation before."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from asrkit.decoding.transcripts.alignment import align_by_ctc
from asrkit.losses.criterion import Encoded
from asrkit.models.asr_model import AsrModel

LABELS_MOVED = "labels_moved"

Frames = dict[str, Tensor]
"""Of an utterance: the encoder frame of each label, (U,), int32."""


class MovedLabels:
    """Compares each validation's forced alignments with those of the one before.

    A label has moved if CTC's best path has it more than one encoder frame away from
    where it was; a neighbouring frame is no other place. Labels of an utterance that
    was not aligned before have moved, so at the first validation all have. Utterances
    without a path count neither as moved nor as labels.
    """

    def __init__(self) -> None:
        self._before: Frames = {}

    def align(self, model: AsrModel, ids: Sequence[str], batch: Encoded) -> Frames:
        """Align the labels of a batch, encoded without augmentation."""
        log_probs = model.ctc_log_probs(batch.enc_out)
        found = align_by_ctc(log_probs, batch.enc_lens, batch.tokens, batch.token_lens)
        return {
            utterance: torch.tensor(one.frames, dtype=torch.int32)
            for utterance, one in zip(ids, found, strict=True)
            if one is not None
        }

    def compare(self, parts: Sequence[Frames]) -> float:
        """Return the share of labels that have moved; remember where they are now.

        Args:
            parts: The alignments of each process: of all of dev together.
        """
        now = {name: frames for part in parts for name, frames in part.items()}
        moved = sum(
            count_moved(self._before.get(name), frames) for name, frames in now.items()
        )
        self._before = now
        return moved / max(1, sum(map(len, now.values())))

    def state_dict(self) -> dict[str, Any]:
        """Return the last alignments for a checkpoint, all in one tensor."""
        frames = list(self._before.values())
        empty = torch.zeros(0, dtype=torch.int32)
        return {
            "ids": list(self._before),
            "lens": [len(one) for one in frames],
            "frames": torch.cat([empty, *frames]),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what `state_dict` returned; nothing: there are none."""
        self._before = {}
        if state:
            frames = state["frames"].split(state["lens"])
            self._before = dict(zip(state["ids"], frames, strict=True))


def count_moved(before: Tensor | None, now: Tensor) -> int:
    """Count the labels of an utterance, (U,), that are in another place than before."""
    if before is None or len(before) != len(now):
        return len(now)
    return int(((now - before).abs() > 1).sum())
