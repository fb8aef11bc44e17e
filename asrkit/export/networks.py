"""A recognizer cut into the networks that sherpa-onnx calls, as torch modules.

Its offline transducer has three of them, its CTC recognizer one. Projections are folded
into the side that they project, so that what is left to the joiner is a sum.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from math import log
from types import MappingProxyType

import torch
from torch import Tensor, nn

from asrkit.models.asr_model import AsrModel

LENGTHS = ([333], [97, 60, 5], [9], [1501, 1200])
"""Feature frames of each utterance of a batch that a file is proven with; none is of
the traced example."""
PADDING = log(1e-10)
"""What sherpa-onnx fills the shorter ones of a batch with."""


class Network(nn.Module, ABC):
    """One of them.

    Args:
        model: A recognizer; it goes into evaluation mode.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    times: Mapping[str, str] = MappingProxyType({})
    """Inputs and outputs whose axis 1 is a time of any length, and what that is."""

    def __init__(self, model: AsrModel) -> None:
        super().__init__()
        self.model = model
        self.eval()  # torch.onnx.export gives modules back in the mode of the outermost

    @abstractmethod
    def example(self) -> tuple[Tensor, ...]:
        """Return inputs of a batch of 2, which neither is 1 nor all of one length."""

    @abstractmethod
    def probes(self) -> Iterator[tuple[Tensor, ...]]:
        """Return batches of inputs of several sizes, the same in each call."""

    def metadata(self) -> dict[str, object]:
        """Return what its file says beyond what all say."""
        return {}


class _Acoustic(Network):
    """Hears features x (N, T_in, F) of x_lens (N,)."""

    inputs = ("x", "x_lens")

    def example(self) -> tuple[Tensor, ...]:
        """Return features of two lengths."""
        feats = self.model.feature_mean.expand(2, 100, -1).contiguous()
        return feats, torch.tensor([100, 80])

    def probes(self) -> Iterator[tuple[Tensor, ...]]:
        """Return noise, and padding as in sherpa-onnx."""
        generator = torch.Generator().manual_seed(0)
        for lengths in LENGTHS:
            lens = torch.tensor(lengths)
            feats = noise_feats(self.model, len(lens), max(lengths), generator)
            padding = torch.arange(max(lengths)) >= lens[:, None]
            yield feats.masked_fill(padding[..., None], PADDING), lens


def noise_feats(
    model: AsrModel, count: int, frames: int, generator: torch.Generator
) -> Tensor:
    """Draw features (count, frames, F) with the training data's mean and variance."""
    noise = torch.randn(count, frames, len(model.feature_mean), generator=generator)
    return model.feature_mean + noise / model.feature_scale


class EncoderNetwork(_Acoustic):
    """Features as the extractor gives them to the encoder's side of the joiner."""

    outputs = ("encoder_out", "encoder_out_lens")
    times = MappingProxyType({"x": "T", "encoder_out": "T4"})

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

    def example(self) -> tuple[Tensor, ...]:
        """Return contexts of blanks."""
        return (torch.zeros(2, self.model.predictor.context_size, dtype=torch.int64),)

    def probes(self) -> Iterator[tuple[Tensor, ...]]:
        """Return contexts, those that begin with -1 among them."""
        generator = torch.Generator().manual_seed(0)
        size, last = self.model.predictor.context_size, self.model.vocab_size - 1
        contexts = torch.randint(1, last + 1, (4, size), generator=generator)
        for rows in (contexts, contexts.new_tensor([[-1] * (size - 1) + [0]])):
            yield (rows,)
        yield (contexts.new_tensor([[-1] * (size - 1) + [last], [0] * size]),)


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

    def example(self) -> tuple[Tensor, ...]:
        """Return two sides of zeros."""
        side = torch.zeros(2, self.model.joiner.output.in_features)
        return side, side

    def probes(self) -> Iterator[tuple[Tensor, ...]]:
        """Return noise for both sides."""
        generator = torch.Generator().manual_seed(0)
        for count in (1, 4):
            shape = (2, count, self.model.joiner.output.in_features)
            yield tuple(torch.randn(shape, generator=generator))


class CtcNetwork(_Acoustic):
    """Features to the CTC head's log-probabilities."""

    outputs = ("log_probs", "log_probs_lens")
    times = MappingProxyType({"x": "T", "log_probs": "T4"})

    def forward(self, x: Tensor, x_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (N, T_in, F) and x_lens (N,) to (N, T, V) and (N,)."""
        enc_out, enc_lens = self.model.encode(x, x_lens)
        return self.model.ctc_log_probs(enc_out), enc_lens
