"""A recognizer cut into the networks that sherpa-onnx calls, as torch modules.

Its offline transducer has three of them, its CTC recognizer one. Projections are folded
into the side that they project, so that what is left to the joiner is a sum.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from asrkit.models.asr_model import AsrModel


class Network(nn.Module):
    """One of them.

    Args:
        model: A recognizer; it goes into evaluation mode.
    """

    inputs: ClassVar[tuple[str, ...]]
    outputs: ClassVar[tuple[str, ...]]

    def __init__(self, model: AsrModel) -> None:
        super().__init__()
        self.model = model
        self.eval()  # torch.onnx.export gives modules back in the mode of the outermost


class EncoderNetwork(Network):
    """Features as the extractor gives them to the encoder's side of the joiner."""

    inputs = ("x", "x_lens")
    outputs = ("encoder_out", "encoder_out_lens")

    def forward(self, x: Tensor, x_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (N, T_in, F) and x_lens (N,) to (N, T, J) and (N,)."""
        enc_out, enc_lens = self.model.encode(x, x_lens)
        return self.model.joiner.enc_proj(enc_out), enc_lens


class DecoderNetwork(Network):
    """The predictor with its side of the joiner; sherpa-onnx calls it decoder."""

    inputs = ("y",)
    outputs = ("decoder_out",)

    def forward(self, y: Tensor) -> Tensor:
        """Map the last labels y (N, C), -1 or blank before the first, to (N, J)."""
        # sherpa-onnx begins with -1, which ONNX would take for the last token.
        pred_out = self.model.predictor.after(y.clamp(min=0))
        return self.model.joiner.pred_proj(pred_out)


class JoinerNetwork(Network):
    """The joiner without its projections.

    It gives log-probabilities: sherpa-onnx takes a softmax of what it gets, which
    leaves them as they are, and so a HAT joiner is right, too.
    """

    inputs = ("encoder_out", "decoder_out")
    outputs = ("logit",)

    def forward(self, encoder_out: Tensor, decoder_out: Tensor) -> Tensor:
        """Map (N, J) and (N, J) to log-probabilities (N, V)."""
        return self.model.joiner.log_probs(encoder_out, decoder_out)


class CtcNetwork(Network):
    """Features to the CTC head's log-probabilities."""

    inputs = ("x", "x_lens")
    outputs = ("log_probs", "log_probs_lens")

    def forward(self, x: Tensor, x_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (N, T_in, F) and x_lens (N,) to (N, T, V) and (N,)."""
        enc_out, enc_lens = self.model.encode(x, x_lens)
        return self.model.ctc_log_probs(enc_out), enc_lens


TRANSDUCER: dict[str, type[Network]] = {
    "encoder": EncoderNetwork,
    "decoder": DecoderNetwork,
    "joiner": JoinerNetwork,
}
"""Name of a file -> the network in it."""
CTC: dict[str, type[Network]] = {"ctc": CtcNetwork}
"""The same for CTC."""


def example(model: AsrModel, network: type[Network]) -> tuple[Tensor, ...]:
    """Return inputs of a batch of 2, which neither is 1 nor all of one length."""
    if network in (EncoderNetwork, CtcNetwork):
        feats = model.feature_mean.expand(2, 100, -1).contiguous()
        return feats, torch.tensor([100, 80])
    if network is DecoderNetwork:
        return (torch.zeros(2, model.predictor.context_size, dtype=torch.int64),)
    side = model.feature_mean.new_zeros(2, model.joiner.output.in_features)
    return side, side
