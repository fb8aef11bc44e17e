"""Validation on dev: loss, greedy WER, a table of hypotheses and a picture."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from asrkit.data.batches.batch import Batch
from asrkit.decoding.scoring.score import Hypothesis, score
from asrkit.decoding.search import Search
from asrkit.pipeline.decode.decode_set import pair
from asrkit.pipeline.tasks.asr_task import AsrTask
from asrkit.pipeline.tasks.picture import draw_emissions
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.distributed import World
from asrkit.training.progress.tensorboard import Evaluation
from asrkit.utils.errors import InputError

_ROWS = 20  # of the table of references and hypotheses


@dataclass
class Validation:
    """Evaluates a task on all of dev, shared out over the processes.

    Args:
        batches: Opens this process's share of dev.
        search: Finds the hypotheses.
        tokenizer: Turns them into text.
        world: The processes that work together, and this one's rank.
    """

    batches: Callable[[], Iterator[Batch]]
    search: Search
    tokenizer: Tokenizer
    world: World

    @torch.no_grad()
    def __call__(self, task: nn.Module) -> Evaluation:
        """Return loss per token, WER, a table and a picture; on all processes."""
        assert isinstance(task, AsrTask)
        task.eval()
        sums: dict[str, float] = {}
        hypotheses: list[Hypothesis] = []
        pictures: dict[str, torch.Tensor] = {}
        for batch in self.batches():
            batch = batch.to(self.world.device)
            encoded = task.encode(batch)
            stats = task.loss(batch, encoded).stats
            for name, value in stats.items():
                sums[name] = sums.get(name, 0.0) + float(value)
            found = self.search(task.model, encoded.enc_out, encoded.enc_lens)
            texts = [self.tokenizer.decode(nbest[0].tokens) for nbest in found]
            hypotheses += pair(batch, texts)
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
        return self._evaluate(shares, pictures)

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
            "wer": score(hypotheses).wer,
        }
        if "expected_risk" in total:
            risk = total["expected_risk"] / max(total["tokens"], 1.0)
            scalars["expected_risk_per_token"] = risk
        return Evaluation(scalars, {"hypotheses": _table(hypotheses)}, pictures)


def _table(hypotheses: list[Hypothesis]) -> str:
    """Write references and hypotheses as a Markdown table."""
    rows = ["| utterance | reference | hypothesis |", "|---|---|---|"]
    rows += [
        f"| {h.id} | {' '.join(h.ref)} | {' '.join(h.hyp)} |"
        for h in hypotheses[:_ROWS]
    ]
    return "\n".join(rows)
