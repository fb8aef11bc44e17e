"""The conformer encoder (Gulati et al., 2020)."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor, is_grad_enabled, nn
from torch.utils.checkpoint import checkpoint

from asrkit.models.attention import RelativeAttention, RotaryAttention
from asrkit.models.chunks import Chunking, EncoderChunksConfig, attention_mask, draw
from asrkit.models.convolution import ConvolutionModule
from asrkit.models.dropout import Dropout
from asrkit.models.encoder import EncoderConfig
from asrkit.models.stream_state import BlockState, StreamState
from asrkit.models.subsampling import FACTORS, ConvSubsampling, subsampled_lens
from asrkit.utils.lengths import IntOrTensor, make_pad_mask
from asrkit.utils.ranges import check_range


class Positions(str, Enum):
    """How attention knows the time."""

    ROTARY = "rotary"
    RELATIVE = "relative"


_BRANCH_SCALE = 0.02
"""What a branch of a block gives at first, compared with what it is given."""


@dataclass(kw_only=True)
class ConformerConfig(EncoderConfig):
    """The conformer encoder."""

    num_layers: int = 12
    """Conformer blocks."""
    dim: int = 512
    """Model dimension, D."""
    num_heads: int = 8
    """Attention heads; `dim / num_heads` must be even."""
    ff_dim: int = 2048
    """Inner dimension of the feed-forward modules."""
    kernel_size: int = 31
    """Frames that the depthwise convolution spans (odd; of 40 ms, or 80 with
    `subsampling=8`)."""
    dropout: float = 0.1
    """Dropout probability of every module."""
    positions: Positions = Positions.ROTARY
    """ROTARY or RELATIVE."""
    subsampling: int = 4
    """Feature frames to an encoder frame: 4, or 8 as in FastConformer: half the frames,
    fewer than characters of speech."""
    subsampling_channels: int = 128
    """Channels of the convolutional subsampling."""
    checkpoint_activations: bool = False
    """Keep only what goes from block to block and compute the rest again in backward:
    much less memory, about a third more time in the encoder."""
    chunks: EncoderChunksConfig = field(default_factory=EncoderChunksConfig)
    """Training for streams as well as for whole utterances."""

    def __post_init__(self) -> None:
        """Check what the classes below cannot express."""
        sizes = ("num_layers", "dim", "num_heads", "ff_dim", "subsampling_channels")
        check_range(self, "encoder", *sizes, "kernel_size", least=1)
        check_range(self, "encoder", "dropout", least=0, below=1)
        if self.dim % (2 * self.num_heads):
            raise ValueError(
                f"encoder.dim {self.dim} must be a multiple of 2 * encoder.num_heads "
                f"({2 * self.num_heads})"
            )
        if self.subsampling not in FACTORS:
            raise ValueError(
                f"encoder.subsampling must be 4 or 8, got {self.subsampling}"
            )
        if self.kernel_size % 2 == 0:
            raise ValueError(f"encoder.kernel_size must be odd, got {self.kernel_size}")

    def output_lens(self, lens: IntOrTensor) -> IntOrTensor:
        """Return the encoder frames, T, of `lens` feature frames, T_in."""
        return subsampled_lens(lens, self.subsampling)

    def build(self, num_bins: int) -> "Conformer":
        """Make the encoder for features of `num_bins` bins."""
        return Conformer(
            num_bins,
            num_layers=self.num_layers,
            dim=self.dim,
            num_heads=self.num_heads,
            ff_dim=self.ff_dim,
            kernel_size=self.kernel_size,
            dropout=self.dropout,
            positions=self.positions,
            subsampling=self.subsampling,
            subsampling_channels=self.subsampling_channels,
            checkpoint_activations=self.checkpoint_activations,
            chunkings=self.chunks.pool(),
        )


class Conformer(nn.Module):
    """Convolutional subsampling by 4 or 8 and a stack of conformer blocks.

    All normalization is over one frame's channels, so that an utterance's output
    does not depend on its batch. Arguments as in `ConformerConfig`, but for
    `chunkings`: what training draws from, for each batch; None in it is the whole
    utterance.
    """

    def __init__(
        self,
        num_bins: int,
        *,
        num_layers: int,
        dim: int,
        num_heads: int,
        ff_dim: int,
        kernel_size: int,
        dropout: float,
        positions: Positions,
        subsampling_channels: int,
        subsampling: int = 4,
        checkpoint_activations: bool = False,
        chunkings: Sequence[Chunking | None] = (),
    ) -> None:
        super().__init__()
        self.output_dim = dim
        self.subsampling = subsampling
        self.chunkings = chunkings
        self.checkpoint_activations = checkpoint_activations
        self.frontend = ConvSubsampling(
            num_bins, subsampling_channels, dim, factor=subsampling
        )
        self.dropout = Dropout(dropout)
        relative = positions is Positions.RELATIVE
        self.attention_class = RelativeAttention if relative else RotaryAttention
        self.position_dim = dim if relative else dim // num_heads
        self.blocks = nn.ModuleList(
            ConformerBlock(
                attention=self.attention_class(dim, num_heads),
                dim=dim,
                ff_dim=ff_dim,
                kernel_size=kernel_size,
                dropout=dropout,
            )
            for _ in range(num_layers)
        )
        self.register_load_state_dict_pre_hook(_read_former_name)

    def output_lens(self, lens: IntOrTensor) -> IntOrTensor:
        """Return the encoder frames, T, of `lens` feature frames, T_in."""
        return subsampled_lens(lens, self.subsampling)

    def forward(self, feats: Tensor, feat_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            feats: Normalised features, (B, T_in, F).
            feat_lens: (B,), int64.

        Returns:
            enc_out (B, T, D), T = ceil(T_in / subsampling), and enc_lens (B,), int64.
            Frames past enc_lens are undefined.
        """
        return self.encode_chunks(feats, feat_lens, self._draw())

    def encode_chunks(
        self, feats: Tensor, feat_lens: Tensor, chunking: Chunking | None
    ) -> tuple[Tensor, Tensor]:
        """Do the same with frames that see no more than a stream does.

        None: they see the whole utterance.
        """
        x, enc_lens = self.frontend(feats, feat_lens)
        # Only the last one is kept: in decoding nothing else holds the others.
        last = deque(self.encode_frames(self.dropout(x), enc_lens, chunking), maxlen=1)
        return last[0], enc_lens

    def layers(self, feats: Tensor, feat_lens: Tensor) -> tuple[list[Tensor], Tensor]:
        """Encode; return what each block gave, (B, T, D) each, and enc_lens (B,)."""
        x, enc_lens = self.frontend(feats, feat_lens)
        frames = self.encode_frames(self.dropout(x), enc_lens, self._draw())
        return list(frames), enc_lens

    def _draw(self) -> Chunking | None:
        return draw(self.chunkings) if self.training else None

    def start(self, batch_size: int, *, size: int, left: int) -> StreamState:
        """Return the state of streams that begin: see `StreamingEncoder`."""
        weight, block = self.frontend.first.weight, self.blocks[0]
        assert isinstance(block, ConformerBlock)
        heads, past = block.attention.num_heads, block.convolution.past
        shape = (batch_size, heads, left * size, self.output_dim // heads)
        return StreamState(
            weight.new_zeros(batch_size, self.frontend.past, self.frontend.num_bins),
            tuple(
                BlockState(
                    weight.new_zeros(shape),
                    weight.new_zeros(shape),
                    weight.new_zeros(batch_size, self.output_dim, past),
                )
                for _ in self.blocks
            ),
            torch.zeros(batch_size, dtype=torch.int64, device=weight.device),
        )

    def step(
        self, feats: Tensor, feat_lens: Tensor, state: StreamState
    ) -> tuple[Tensor, Tensor, StreamState]:
        """Encode the next chunk of each stream: see `StreamingEncoder`."""
        x, enc_lens, past = self.frontend.step(
            feats, feat_lens, state.feats, begins=state.processed == 0
        )
        size = x.shape[1]
        attn_mask = state.attention_mask(enc_lens, size)
        frame_mask = ~make_pad_mask(enc_lens, size)[:, None, :, None]
        positions = self.attention_class.encode_positions(
            attn_mask.shape[3], self.position_dim, like=x
        )
        blocks = []
        for block, before in zip(self.blocks, state.blocks, strict=True):
            assert isinstance(block, ConformerBlock)
            x, after = block.step(x, before, positions, attn_mask, frame_mask)
            blocks.append(after)
        new = StreamState(past, tuple(blocks), state.processed + enc_lens)
        return x, enc_lens, new.where(enc_lens > 0, state)

    def encode_frames(
        self, x: Tensor, enc_lens: Tensor, chunking: Chunking | None = None
    ) -> Iterator[Tensor]:
        """Run the blocks on subsampled frames x (B, T, D) of enc_lens (B,), in turn."""
        pad_mask = make_pad_mask(enc_lens, x.shape[1])
        positions = self.attention_class.encode_positions(
            x.shape[1], self.position_dim, like=x
        )
        attn_mask = attention_mask(pad_mask, chunking)
        chunk_size = None if chunking is None else chunking.size
        frame_mask = ~pad_mask[:, None, :, None]
        again = self.checkpoint_activations and self.training and is_grad_enabled()
        for block in self.blocks:
            inputs = (x, positions, attn_mask, frame_mask, chunk_size)
            x = (
                checkpoint(block, *inputs, use_reentrant=False)
                if again
                else block(*inputs)
            )
            yield x


def _read_former_name(
    module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object
) -> None:
    """Load checkpoints in which the `frontend` is still called `subsampling`."""
    former = f"{prefix}subsampling."
    for key in [key for key in state if key.startswith(former)]:
        state[f"{prefix}frontend.{key.removeprefix(former)}"] = state.pop(key)


class ConformerBlock(nn.Module):
    """Half a feed-forward, attention, convolution, half a feed-forward, LayerNorm."""

    def __init__(
        self,
        *,
        attention: RelativeAttention | RotaryAttention,
        dim: int,
        ff_dim: int,
        kernel_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.first_ff = FeedForward(dim, ff_dim, dropout)
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = attention
        self.convolution = ConvolutionModule(dim, kernel_size)
        self.second_ff = FeedForward(dim, ff_dim, dropout)
        self.final_norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)
        # A block begins as little more than its last norm: what the front end gives
        # reaches the loss at once, and branches add to it as they learn (Goyal et al.,
        # 2017, section 5.1, and Zhang et al., 2019, begin residual branches at zero).
        for last in (
            self.first_ff.down,
            self.attention.out_proj,
            self.convolution.pointwise,
            self.second_ff.down,
        ):
            nn.init.normal_(last.weight, std=_BRANCH_SCALE * last.in_features**-0.5)
            nn.init.zeros_(last.bias)

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        attn_mask: Tensor,
        frame_mask: Tensor,
        chunk_size: int | None,
    ) -> Tensor:
        """Map x (B, T, D) to the same shape; masks are True where there is speech."""
        # Gulati et al. (2020), equation 1: x + 1/2 FFN, + MHSA, + Conv, + 1/2 FFN,
        # norm. Half steps as in Macaron-Net (Lu et al., 2019).
        x = x + 0.5 * self.first_ff(x)
        attended = self.attention(self.attention_norm(x), positions, attn_mask)
        x = x + self.dropout(attended)
        x = x + self.dropout(self.convolution(x, frame_mask, chunk_size))
        x = x + 0.5 * self.second_ff(x)
        return self.final_norm(x)

    def step(
        self,
        x: Tensor,
        state: BlockState,
        positions: Tensor,
        attn_mask: Tensor,
        frame_mask: Tensor,
    ) -> tuple[Tensor, BlockState]:
        """Do the same with a chunk x (B, S, D), without dropout."""
        x = x + 0.5 * self.first_ff(x)
        attended, (key, value) = self.attention.with_past(
            self.attention_norm(x), (state.key, state.value), positions, attn_mask
        )
        x = x + attended
        convolved, conv = self.convolution.step(x, frame_mask, state.conv)
        x = x + convolved
        x = x + 0.5 * self.second_ff(x)
        return self.final_norm(x), BlockState(key, value, conv)


class FeedForward(nn.Module):
    """LayerNorm, Linear, SiLU, Linear."""

    def __init__(self, dim: int, ff_dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, ff_dim)
        self.down = nn.Linear(ff_dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        return self.dropout(self.down(F.silu(self.up(self.norm(x)))))
