"""A Transformer language model over the recognizer's tokens."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asrkit.models.attention import RotaryAttention, rotate
from asrkit.models.conformer import FeedForward
from asrkit.models.dropout import Dropout
from asrkit.models.lm.language_model import LanguageModel, LanguageModelConfig, State
from asrkit.utils.ranges import check_range

_BLOCK = 32  # tokens by which the memory of keys and values grows


@dataclass(kw_only=True)
class TransformerLmConfig(LanguageModelConfig):
    """The Transformer language model."""

    kind = "Transformer"

    num_layers: int = 4
    """Blocks."""
    dim: int = 256
    """Model dimension, D."""
    num_heads: int = 4
    """Attention heads; `dim / num_heads` must be even."""
    ff_dim: int = 1024
    """Inner dimension of the feed-forward modules."""
    dropout: float = 0.2
    """Dropout probability of the embedding and of every module."""

    def __post_init__(self) -> None:
        """Check what the classes below cannot express."""
        sizes = ("num_layers", "dim", "num_heads", "ff_dim")
        check_range(self, "lm.model", *sizes, least=1)
        check_range(self, "lm.model", "dropout", least=0, below=1)
        if self.dim % (2 * self.num_heads):
            raise ValueError(
                f"lm.model.dim {self.dim} must be a multiple of "
                f"2 * lm.model.num_heads ({2 * self.num_heads})"
            )

    def build(self, vocab_size: int) -> "TransformerLm":
        """Make the model for a vocabulary of `vocab_size` tokens with blank."""
        return TransformerLm(
            vocab_size,
            num_layers=self.num_layers,
            dim=self.dim,
            num_heads=self.num_heads,
            ff_dim=self.ff_dim,
            dropout=self.dropout,
        )


class TransformerLm(LanguageModel):
    """Pre-norm Transformer blocks with causal attention and rotary positions.

    Memory: the keys and values of the tokens read, (N, layers, S, 2, D) with S at
    least their number, and that number, (N,). Arguments as in `TransformerLmConfig`.
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        num_layers: int,
        dim: int,
        num_heads: int,
        ff_dim: int,
        dropout: float,
    ) -> None:
        super().__init__(vocab_size, dim)
        self.head_dim = dim // num_heads
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(dim, num_heads, ff_dim, dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(dim)

    def contexts(self, embedded: Tensor) -> Tensor:
        """Map (B, U, D) to (B, U, D)."""
        x = self.dropout(embedded)
        positions = RotaryAttention.encode_positions(x.shape[1], self.head_dim, like=x)
        for block in self.blocks:
            x = block(x, positions)
        return self.norm(x)

    def first(self, count: int, device: torch.device) -> State:
        """Return a memory of no token."""
        cache = torch.zeros(
            (count, len(self.blocks), 0, 2, self.embedding.embedding_dim),
            dtype=self.output_bias.dtype,
            device=device,
        )
        return cache, torch.zeros(count, dtype=torch.int64, device=device)

    def step(self, memory: State, embedded: Tensor) -> State:
        """Read one token each, at the place behind those that it has read."""
        cache, lens = memory
        longest = int(lens.max()) if len(lens) else 0
        room = cache.shape[2]
        # A copy in any case: the state before may be advanced by another token, too.
        full = longest == room
        cache = F.pad(cache, (0, 0, 0, 0, 0, _BLOCK)) if full else cache.clone()
        table = RotaryAttention.encode_positions(
            longest + 1, self.head_dim, like=embedded
        )
        positions = table[:, lens, None, None]  # (2, N, 1, 1, head_dim / 2)
        mask = torch.arange(longest + 1, device=lens.device) <= lens[:, None]
        x = embedded[:, None]
        for index, block in enumerate(self.blocks):
            assert isinstance(block, TransformerBlock)
            x = block.step(x, positions, cache[:, index], lens, mask)
        return cache, lens + 1, self.norm(x)[:, 0]

    def keep(self, emitted: Tensor, stepped: State, memory: State) -> State:
        """Count the tokens that were kept; what lies behind them is never read."""
        return stepped[0], memory[1] + emitted


class TransformerBlock(nn.Module):
    """LayerNorm and attention, LayerNorm and feed-forward, each added to its input."""

    def __init__(self, dim: int, num_heads: int, ff_dim: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = CausalAttention(dim, num_heads)
        self.feed_forward = FeedForward(dim, ff_dim, dropout)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Map (B, U, D) to (B, U, D)."""
        x = x + self.dropout(self.attention(self.attention_norm(x), positions))
        return x + self.feed_forward(x)

    def step(
        self, x: Tensor, positions: Tensor, cache: Tensor, lens: Tensor, mask: Tensor
    ) -> Tensor:
        """Map (N, 1, D) to (N, 1, D); arguments as in `CausalAttention.step`."""
        normed = self.attention_norm(x)
        x = x + self.attention.step(normed, positions, cache, lens, mask)
        return x + self.feed_forward(x)


class CausalAttention(RotaryAttention):
    """Attends to what came before, and to itself."""

    def forward(
        self, x: Tensor, positions: Tensor, attn_mask: Tensor | None = None
    ) -> Tensor:
        """Attend over (B, U, D); no mask is needed, since padding comes last."""
        query, key, value = self.heads(x)
        query, key = rotate(query, positions), rotate(key, positions)
        return self.merge(
            F.scaled_dot_product_attention(query, key, value, is_causal=True)
        )

    def step(
        self, x: Tensor, positions: Tensor, cache: Tensor, lens: Tensor, mask: Tensor
    ) -> Tensor:
        """Attend from one new token each.

        Args:
            x: (N, 1, D).
            positions: Of the new tokens, (2, N, 1, 1, head_dim / 2).
            cache: Keys and values (N, S, 2, D); the new ones are written into it.
            lens: Tokens that were read before, (N,), int64.
            mask: (N, U), bool; which places the new token may attend to.
        """
        query, key, value = self.heads(x)  # (N, H, 1, D / H) each
        new = torch.stack([rotate(key, positions), value], dim=1)
        cache[torch.arange(len(x), device=x.device), lens] = new.flatten(2)
        seen = cache[:, : mask.shape[1]].unflatten(-1, (self.num_heads, -1))
        keys, values = seen.permute(2, 0, 3, 1, 4)  # (N, H, U, D / H) each
        return self.merge(
            F.scaled_dot_product_attention(
                rotate(query, positions), keys, values, mask[:, None, None]
            )
        )
