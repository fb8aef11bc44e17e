"""Minimum Bayes risk over lists that the current model makes (MWER).

Prabhavalkar et al., "Minimum word error rate training for attention-based
sequence-to-sequence models", ICASSP 2018; for transducers, Weng et al., "Minimum Bayes
risk training of RNN-transducer", 2019 (arXiv 1911.12487). The former subtract the
list's mean risk from every risk: as q sums to 1 this changes the loss by a constant
and its gradient not at all, so it is left out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

import torch
from torch import nn

from asrkit.data.batches.nbest import NBestLists, make_lists
from asrkit.losses.criterion import Criterion, Encoded, Find
from asrkit.losses.mbr import MbrCriterion, MbrLossConfig
from asrkit.losses.transducer import no_autocast
from asrkit.models.asr_model import AsrModel
from asrkit.utils.ranges import check_range


class MwerCriterion(MbrCriterion):
    """Searches the batch, puts the reference into each list, and does as MBR.

    The risk is the edit distance in tokens.

    Args:
        num_hypotheses: Most hypotheses of a list, the reference among them.
        renorm_scale: As of `nbest_mbr_loss`.
        reference_weight: As of `nbest_mbr_loss`.
        options: As of `MbrCriterion`.
    """

    def __init__(
        self,
        num_hypotheses: int,
        *,
        renorm_scale: float,
        reference_weight: float,
        options: dict[str, object],
    ) -> None:
        super().__init__(
            renorm_scale=renorm_scale,
            reference_weight=reference_weight,
            options=options,
        )
        self.num_hypotheses = num_hypotheses
        self.find: Find | None = None

    def take_search(self, find: Find) -> None:
        """Take the search: losses know no decoding."""
        self.find = find

    def lists(self, model: AsrModel, batch: Encoded) -> NBestLists:
        """Search with the model as it is now, without dropout behind the encoder."""
        assert self.find is not None, "take_search comes first"
        # In the weights' type, as validation and decoding search.
        enc_out = batch.enc_out.detach().to(model.joiner.output.weight.dtype)
        with evaluation(model), no_autocast(enc_out), torch.no_grad():
            found = self.find(model, enc_out, batch.enc_lens)
        hypotheses = [[one.tokens for one in row] for row in found]
        lens = batch.token_lens.tolist()
        references = [
            row[:length]
            for row, length in zip(batch.tokens.tolist(), lens, strict=True)
        ]
        lists = make_lists(hypotheses, references, num_hypotheses=self.num_hypotheses)
        return lists.to(enc_out.device)


@dataclass(kw_only=True)
class MwerLossConfig(MbrLossConfig):
    """Minimum Bayes risk over n-best lists of the current model."""

    name = "mwer"

    beam: int = 4
    """Hypotheses that the search keeps."""
    num_hypotheses: int = 4
    """Most hypotheses of a list, the reference among them."""
    renorm_scale: float = 1.0
    """Factor of the log-scores: with 1, probabilities normalised over the list."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        # The reference counts, too.
        check_range(self, "loss", "num_hypotheses", least=2)
        check_range(self, "loss", "beam", least=1)
        if self.beam < self.num_hypotheses - 1:
            raise ValueError(
                f"loss.beam is {self.beam}, too small for {self.num_hypotheses} "
                "hypotheses (loss.num_hypotheses) of which the search finds all but "
                "the reference"
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """Nothing: its search makes the lists."""
        return ()

    @property
    def search_beam(self) -> int:
        """Hypotheses that the search keeps."""
        return self.beam

    @property
    def list_size(self) -> int:
        """Most hypotheses of a list."""
        return self.num_hypotheses

    def without_search(self) -> MbrLossConfig:
        """Return loss=mbr with the same values."""
        names = [field.name for field in fields(MbrLossConfig)]
        return MbrLossConfig(**{name: getattr(self, name) for name in names})

    def transducer(self, model: AsrModel) -> Criterion:
        """Make the loss; it still has to be handed a search."""
        return MwerCriterion(
            self.num_hypotheses,
            renorm_scale=self.renorm_scale,
            reference_weight=self.reference_weight,
            options=self.options(model),
        )


@contextmanager
def evaluation(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and restore each part's mode afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
