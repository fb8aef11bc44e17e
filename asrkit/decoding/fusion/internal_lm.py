"""The language model inside a transducer (Variani et al., 2020; Meng et al., 2021)."""

import torch
from torch import Tensor

from asrkit.decoding.fusion.fusion import Scorer, State
from asrkit.models.asr_model import AsrModel
from asrkit.utils.lengths import make_pad_mask


class InternalLm(Scorer):
    """What predictor and joiner say with the encoder's output set to zero.

    Normalised over the labels, without blank. Taken away from the recognizer's scores
    it makes room for a language model that has seen more text.

    Args:
        model: The recognizer.
    """

    def __init__(self, model: AsrModel) -> None:
        self.model = model

    def start(self, count: int, device: torch.device) -> State:
        """Return contexts of blanks, (N, C)."""
        size = self.model.predictor.context_size
        return (torch.zeros(count, size, dtype=torch.int64, device=device),)

    def scores(self, state: State) -> Tensor:
        """Return log-probabilities of labels, (N, V); 0 for blank."""
        model = self.model
        labels = self._join(model.joiner.pred_proj(model.predictor.after(state[0])))
        return torch.nn.functional.pad(labels, (1, 0))

    def advance(self, state: State, labels: Tensor) -> State:
        """Shift the contexts."""
        shifted = torch.cat([state[0][:, 1:], labels[:, None]], dim=1)
        return (torch.where(labels[:, None] > 0, shifted, state[0]),)

    def final(self, state: State) -> Tensor:
        """Return 0: it knows no end."""
        return state[0].new_zeros(len(state[0]), dtype=torch.float32)

    def log_prob(self, tokens: Tensor, token_lens: Tensor) -> Tensor:
        """Return log-probabilities of the labels of tokens (B, U), (B,)."""
        model = self.model
        labels = self._join(model.joiner.pred_proj(model.predictor(tokens)[:, :-1]))
        index = (tokens - 1).clamp(min=0)[..., None]
        scores = labels.gather(2, index)[..., 0]
        return scores.masked_fill(make_pad_mask(token_lens, tokens.shape[1]), 0).sum(1)

    def _join(self, pred_proj: Tensor) -> Tensor:
        """Return log-probabilities of the labels without audio, (..., V - 1)."""
        model = self.model
        # The zero-encoder estimate of Meng et al. (2021): all else is as trained.
        silence = pred_proj.new_zeros(model.encoder.output_dim)
        return model.joiner.label_log_probs(model.joiner.enc_proj(silence), pred_proj)
