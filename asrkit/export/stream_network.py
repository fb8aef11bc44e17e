"""A streaming encoder as sherpa-onnx's OnlineRecognizer calls it, as a torch module.

Each call gets a chunk of features and what the last call gave back. sherpa-onnx makes
the first states itself, zeros whose shapes it reads off the file's metadata, so they
have to be of a kind that it knows: those of its `ebranchformer` have room for all that
a conformer remembers.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.export.networks import Network, noise_feats
from asrkit.models.asr_model import AsrModel
from asrkit.models.encoder import StreamingEncoder
from asrkit.models.stream_state import BlockState, StreamState

_PER_BLOCK = ("key", "value", "conv", "fusion")
"""States of a block: keys and values, what the convolution saw, and one that a
conformer has no use for."""


class StreamNetwork(Network):
    """One chunk of every stream, to the encoder's side of the joiner.

    Args:
        model: A recognizer whose encoder streams; it goes into evaluation mode.
        size: Encoder frames of a chunk.
        left: Chunks before its own that a frame's attention sees.
    """

    def __init__(self, model: AsrModel, *, size: int, left: int) -> None:
        super().__init__(model)
        self.size, self.left = size, left
        start = self.encoder.start(1, size=size, left=left)
        self.blocks, self.past = len(start.blocks), start.feats.shape[1:]
        names = [f"{name}_{i}" for i in range(self.blocks) for name in _PER_BLOCK]
        names.append("processed_lens")
        self.inputs = ("x", *names)
        self.outputs = ("encoder_out", *(f"new_{name}" for name in names))

    @property
    def encoder(self) -> StreamingEncoder:
        """The model's."""
        return self.model.encoder  # type: ignore[return-value]

    @property
    def frames(self) -> int:
        """Feature frames of a chunk."""
        return self.size * self.encoder.subsampling

    def start(self, batch_size: int) -> tuple[Tensor, ...]:
        """Return the states of streams that begin, in the order of the inputs."""
        state = self.encoder.start(batch_size, size=self.size, left=self.left)
        column = self._column(state.feats)
        return self._flatten(state, [torch.zeros_like(column)] * self.blocks)

    def forward(self, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Map x (N, frames, F) to (N, size, J), and states to those after it."""
        feat_lens = torch.full_like(states[-1], self.frames)
        enc_out, _, state = self.encoder.step(
            self.model.normalize(x), feat_lens, self._gather(states)
        )
        # What is not used, is given back as it came: a file has no input without a use.
        fusions = [self._column(state.feats), *states[7::4]]
        return self.model.joiner.enc_proj(enc_out), *self._flatten(state, fusions)

    def example(self) -> tuple[Tensor, ...]:
        """Return the first chunk of two streams."""
        feats = self.model.feature_mean.expand(2, self.frames, -1)
        return feats.contiguous(), *self.start(2)

    @torch.no_grad()
    def probes(self) -> Iterator[tuple[Tensor, ...]]:
        """Return chunks of noise, of streams that have begun at different times."""
        generator = torch.Generator().manual_seed(0)
        for count in (1, 3):
            states = self.start(count)
            for chunk in range(self.left + 4):
                feats = noise_feats(self.model, count, self.frames, generator)
                yield feats, *states
                _, *states = self(feats, *states)
                for state in states:
                    state[chunk % 2 + 1 :: 3] *= 0  # a new stream

    def _flatten(
        self, state: StreamState, fusions: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Return a state in the order of the inputs."""
        states: list[Tensor] = []
        for block, fusion in zip(state.blocks, fusions, strict=True):
            states += [block.key, block.value, block.conv, fusion]
        return *states, state.processed

    def _column(self, feats: Tensor) -> Tensor:
        """Put the features that the subsampling still needs in the place of a fusion.

        Theirs is the first block's: (N, 2 hidden_size, 1).
        """
        odd = self.past.numel() % 2
        return F.pad(feats.flatten(1), (0, odd)).unsqueeze(2)

    def _gather(self, states: Sequence[Tensor]) -> StreamState:
        """Return a state from tensors in the order of the inputs."""
        blocks = tuple(
            BlockState(*states[4 * index : 4 * index + 3])
            for index in range(self.blocks)
        )
        feats = states[3][:, : self.past.numel(), 0].view(-1, *self.past)
        return StreamState(feats, blocks, states[-1])

    def metadata(self) -> dict[str, object]:
        """Return what sherpa-onnx makes the first states from.

        key and value are (N, num_heads, left_context_len, head_dim), conv is (N,
        intermediate_size / 2, csgu_kernel_size - 1), fusion (N, 2 hidden_size,
        merge_conv_kernel - 1).
        """
        key, _, conv, fusion, *_ = self.start(1)
        return {
            "model_type": "ebranchformer",
            "T": self.frames,
            "decode_chunk_len": self.frames,
            "num_hidden_layers": self.blocks,
            "num_heads": key.shape[1],
            "left_context_len": key.shape[2],
            "head_dim": key.shape[3],
            "intermediate_size": 2 * conv.shape[1],
            "csgu_kernel_size": conv.shape[2] + 1,
            "hidden_size": fusion.shape[1] // 2,
            "merge_conv_kernel": fusion.shape[2] + 1,
        }
