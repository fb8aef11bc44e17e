"""Validation on dev: loss, greedy error rate, a table of hypotheses and a picture."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from asrkit.data.batches.batch import Batch
from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.scoring.score import Hypothesis, error_rate
from asrkit.decoding.search import Search
from asrkit.losses.criterion import LossConfig
from asrkit.losses.exact import summarize_jumps
from asrkit.pipeline.decode.decode_set import pair
from asrkit.pipeline.tasks.asr_task import AsrTask
from asrkit.pipeline.tasks.moved_labels import LABELS_MOVED, Frames, MovedLabels
from asrkit.pipeline.tasks.picture import draw_emissions
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.distributed import World
from asrkit.training.progress.tensorboard import Evaluation
from asrkit.utils.errors import InputError

_ROWS = 20  # of the table of references and hypotheses
_RISK = "expected_risk"


def scalar_names(loss: LossConfig, unit: ErrorUnit) -> list[str]:
    """Name what validation finds of any stage with a loss."""
    names = ["loss_per_token", "loss_per_frame", unit.scalar]
    if loss.list_size and "transducer" in loss.trained:
        names.append(f"{_RISK}_per_token")
    return names


@dataclass
class Validation:
    """Evaluates a task on all of dev, shared out over the processes.

    Args:
        batches: Opens this process's share of dev.
        search: Finds the hypotheses.
        tokenizer: Turns them into text.
        unit: What errors are counted in.
        world: The processes that work together, and this one's rank.
        moved: Aligns the labels with CTC and compares, if that is wanted.
    """

    batches: Callable[[], Iterator[Batch]]
    search: Search
    tokenizer: Tokenizer
    unit: ErrorUnit
    world: World
    moved: MovedLabels | None = None

    @torch.no_grad()
    def __call__(self, task: nn.Module) -> Evaluation:
        """Return losses, the error rate, a table and a picture; on all processes."""
        assert isinstance(task, AsrTask)
        task.eval()
        sums: dict[str, float] = {}
        hypotheses: list[Hypothesis] = []
        pictures: dict[str, torch.Tensor] = {}
        frames: Frames = {}
        for batch in self.batches():
            batch = batch.to(self.world.device)
            encoded = task.encode(batch)
            stats = task.loss(batch, encoded).stats
            for name, value in stats.items():
                sums[name] = sums.get(name, 0.0) + float(value)
            found = self.search(task.model, encoded.enc_out, encoded.enc_lens)
            texts = [self.tokenizer.decode(nbest[0].tokens) for nbest in found]
            hypotheses += pair(batch, texts)
            if self.moved is not None:
                frames |= self.moved.align(task.model, batch.ids, encoded)
            if not pictures and self.world.is_main:
                feats, feat_lens = batch.features(task.features)
                pieces = [self.tokenizer.tokens[t] for t in found[0][0].tokens]
                picture = draw_emissions(
                    feats[0, : int(feat_lens[0])],
                    found[0][0].frames,
                    pieces,
                    subsampling=task.model.encoder.subsampling,
                )
                pictures = {"emissions": picture}
        shares = self.world.gather((sums, hypotheses))
        evaluation = self._evaluate(shares, pictures)
        if self.moved is not None:
            parts = self.world.gather(frames)
            evaluation.scalars[LABELS_MOVED] = self.moved.compare(parts)
        return evaluation

    def _evaluate(
        self,
        shares: list[tuple[Mapping[str, float], list[Hypothesis]]],
        pictures: dict[str, torch.Tensor],
    ) -> Evaluation:
        """Put the processes' shares together."""
        if not any(hypotheses for _, hypotheses in shares):
            raise InputError("no dev utterance can be read; is the disk there?")
        total: dict[str, float] = {}
        for sums, _ in shares:
            for name, value in sums.items():
                total[name] = total.get(name, 0.0) + value
        hypotheses = sorted((h for _, part in shares for h in part), key=lambda h: h.id)
        scalars = {
            "loss_per_token": total["loss"] / max(total["tokens"], 1.0),
            "loss_per_frame": total["loss"] / total["frames"],
            self.unit.scalar: error_rate(hypotheses, self.unit),
        }
        scalars |= summarize_jumps(total)
        if _RISK in total:
            risk = total[_RISK] / max(total["tokens"], 1.0)
            scalars[f"{_RISK}_per_token"] = risk
        return Evaluation(scalars, {"hypotheses": _table(hypotheses)}, pictures)


def _table(hypotheses: list[Hypothesis]) -> str:
    """Write references and hypotheses as a Markdown table."""
    rows = ["| utterance | reference | hypothesis |", "|---|---|---|"]
    rows += [
        f"| {h.id} | {' '.join(h.ref)} | {' '.join(h.hyp)} |"
        for h in hypotheses[:_ROWS]
    ]
    return "\n".join(rows)
