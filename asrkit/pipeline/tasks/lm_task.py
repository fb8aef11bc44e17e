"""What the trainer trains when it trains a language model, and its validation."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from asrkit.data.text.batches import TextBatch
from asrkit.models.lm.language_model import LanguageModel, sentence_losses
from asrkit.training.distributed import World
from asrkit.training.progress.tensorboard import Evaluation
from asrkit.utils.loss_output import LossOutput


class LmTask(nn.Module):
    """Maps a batch of sentences to its cross entropy, ends of sentences included.

    Args:
        model: The language model.
    """

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: TextBatch) -> LossOutput:
        """Return the summed loss of a batch, to be divided by its tokens."""
        logits = self.model(batch.tokens, batch.token_lens)
        loss = sentence_losses(logits, batch.tokens, batch.token_lens).sum()
        tokens = (batch.token_lens + 1).sum()
        sentences = tokens.new_tensor(len(batch.token_lens))
        stats = {"loss": loss.detach(), "tokens": tokens, "sentences": sentences}
        return LossOutput(loss, tokens, stats)

    def explain_memory(self, batch: TextBatch) -> str:
        """Say how large the largest tensors of a batch are, and what to change."""
        return (
            f"{len(batch.ids)} sentences of up to {batch.tokens.shape[1]} tokens, with "
            f"logits for {self.model.vocab_size} each. Lower lm.max_tokens"
        )


@dataclass
class LmValidation:
    """Evaluates a task on all of dev, shared out over the processes.

    Args:
        batches: Opens this process's share of dev.
        words: Of dev, the end of a sentence counted as one.
        world: The processes that work together, and this one's rank.
    """

    batches: Callable[[], Iterator[TextBatch]]
    words: int
    world: World

    @torch.no_grad()
    def __call__(self, task: nn.Module) -> Evaluation:
        """Return the perplexity of tokens and of words; on all processes."""
        task.eval()
        sums = torch.zeros(2, dtype=torch.float64, device=self.world.device)
        for batch in self.batches():
            stats = task(batch.to(self.world.device)).stats
            sums += torch.stack([stats["loss"].double(), stats["tokens"].double()])
        loss, tokens = self.world.sum(sums).tolist()
        scalars = {
            "perplexity": perplexity(loss, tokens),
            "word_perplexity": perplexity(loss, self.words),
            "loss_per_token": loss / tokens,
        }
        return Evaluation(scalars)


def perplexity(loss: float, count: float) -> float:
    """Return the exponential of a mean loss; infinity where it is beyond floats."""
    mean = loss / count
    return math.exp(mean) if mean < 700 else math.inf


def summarize(sums: Mapping[str, float]) -> dict[str, float]:
    """Turn a language model's summed stats into what one wants to see."""
    scalars = {"seconds": sums["wall_seconds"]}
    if not sums.get("updates"):
        return scalars
    scalars["loss_per_token"] = sums["loss"] / sums["tokens"]
    scalars["perplexity"] = perplexity(sums["loss"], sums["tokens"])
    scalars["gradient_norm"] = sums["gradient_norm"] / sums["updates"]
    scalars["sentences_per_update"] = sums["sentences"] / sums["updates"]
    scalars["tokens_per_second"] = sums["tokens"] / sums["wall_seconds"]
    return scalars
