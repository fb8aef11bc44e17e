"""Multi-head self-attention with rotary or relative positions."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Multi-head self-attention over torch's scaled_dot_product_attention.

    Subclasses say how positions enter; the base class knows none.

    Args:
        dim: Model dimension, D.
        num_heads: Heads, H; must divide `dim`.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.in_proj = nn.Linear(dim, 3 * dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, positions: Tensor, attn_mask: Tensor) -> Tensor:
        """Attend.

        Args:
            x: (B, T, D).
            positions: What `encode_positions` of the class made, once a batch.
            attn_mask: (B, 1, 1, T) or (B, 1, T, T), bool; True may be attended to.

        Returns:
            (B, T, D).
        """
        query, key, value = self.heads(x)
        return self.merge(self.attend(query, key, value, positions, attn_mask))

    def with_past(
        self,
        x: Tensor,
        past: tuple[Tensor, Tensor],
        positions: Tensor,
        attn_mask: Tensor,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Attend to remembered frames and to those of a chunk.

        Args:
            x: The chunk, (B, S, D).
            past: Keys and values of P frames before it, (B, H, P, D / H) each.
            positions: What `encode_positions` of the class made for P + S frames:
                distances count, times do not.
            attn_mask: (B, 1, 1, P + S), bool; True may be attended to.

        Returns:
            (B, S, D), and keys and values of the last P frames.
        """
        query, key, value = self.heads(x)
        key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        attended = self.attend(query, key, value, positions, attn_mask)
        size = x.shape[1]
        return self.merge(attended), (key[:, :, size:], value[:, :, size:])

    def heads(self, x: Tensor) -> Tensor:
        """Map x (B, T, D) to queries, keys and values, (3, B, H, T, D / H)."""
        # Not unflatten: an ONNX export would keep the example's number of frames.
        heads = self.in_proj(x).view(*x.shape[:2], 3, self.num_heads, -1)
        return heads.permute(2, 0, 3, 1, 4)

    def merge(self, attended: Tensor) -> Tensor:
        """Map attended values (B, H, T, D / H) to (B, T, D)."""
        return self.out_proj(attended.transpose(1, 2).flatten(2))

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, positions: Tensor, mask: Tensor
    ) -> Tensor:
        """Return the attended values, (B, H, Q, D / H).

        Queries may be fewer than keys: those of the last Q frames.
        """
        return F.scaled_dot_product_attention(query, key, value, mask)


class RotaryAttention(SelfAttention):
    """Rotary positions: queries and keys are turned by their time (Su et al., 2021)."""

    @staticmethod
    def encode_positions(num_frames: int, head_dim: int, like: Tensor) -> Tensor:
        """Return cosine and sine of the angles, (2, T, head_dim / 2)."""
        # theta_i = 10000^(-2i / d), Su et al. (2021), section 3.2.2: the product of a
        # query turned by t theta and a key turned by s theta depends on t - s alone.
        half = torch.arange(head_dim // 2, device=like.device, dtype=torch.float32)
        frequencies = 10000.0 ** (-2.0 * half / head_dim)
        times = torch.arange(num_frames, device=like.device, dtype=torch.float32)
        angles = times[:, None] * frequencies[None, :]
        return torch.stack([angles.cos(), angles.sin()]).to(like.dtype)

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, positions: Tensor, mask: Tensor
    ) -> Tensor:
        """Return the attended values, (B, H, Q, D / H)."""
        of_queries = positions[:, positions.shape[1] - query.shape[2] :]
        query, key = rotate(query, of_queries), rotate(key, positions)
        # torch makes the same of a bool mask; an ONNX export would also look for frames
        # that attend to none, in all weights: at 30 s a third of the encoder's time.
        bias = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, -torch.inf)
        return super().attend(query, key, value, positions, bias)


def rotate(x: Tensor, positions: Tensor) -> Tensor:
    """Turn each pair (x_i, x_{i + d/2}) of x (B, H, T, d) by its frame's angle."""
    cos, sin = positions.to(x.dtype)
    # The paper turns neighbours (x_2i, x_2i+1); halves are the same up to the order of
    # dimensions, and slices of memory.
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


class RelativeAttention(SelfAttention):
    """Relative positions of Transformer-XL (Dai et al., 2019, section 3.3).

    The position term of the score is handed to scaled_dot_product_attention as an
    additive mask.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__(dim, num_heads)
        self.pos_proj = nn.Linear(dim, dim, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(num_heads, 1, dim // num_heads))
        self.position_bias = nn.Parameter(torch.zeros(num_heads, 1, dim // num_heads))

    @staticmethod
    def encode_positions(num_frames: int, dim: int, like: Tensor) -> Tensor:
        """Return sinusoids of the offsets T - 1 down to 1 - T, (2 T - 1, D)."""
        offsets = torch.arange(num_frames - 1, -num_frames, -1, device=like.device)
        half = torch.arange(0, dim, 2, device=like.device, dtype=torch.float32)
        angles = offsets[:, None] * 10000.0 ** (-half / dim)
        return torch.cat([angles.sin(), angles.cos()], dim=-1).to(like.dtype)

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, positions: Tensor, mask: Tensor
    ) -> Tensor:
        """Return the attended values, (B, H, Q, D / H)."""
        (Q, head_dim), T = query.shape[2:], key.shape[2]
        # Offsets that a query of the last Q frames has to keys: T - 1 down to 1 - Q.
        pos = self.pos_proj(positions[: T + Q - 1].to(query.dtype))
        pos = pos.view(T + Q - 1, self.num_heads, head_dim).permute(1, 2, 0)
        # Dai et al. (2019), section 3.3: terms (b) and (d), query and position bias
        # with the offset; below (a) and (c), query and content bias with the key.
        scores = relative_shift((query + self.position_bias) @ pos)  # (B, H, Q, T)
        bias = (scores / math.sqrt(head_dim)).masked_fill(~mask, -torch.inf)
        query = query + self.content_bias
        return super().attend(query, key, value, positions, bias.to(query.dtype))


def relative_shift(scores: Tensor) -> Tensor:
    """Turn scores by offset (B, H, Q, T + Q - 1) into scores by key (B, H, Q, T).

    Row i holds the offset of key j at column Q - 1 - i + j.
    """
    B, H, Q, width = scores.shape
    # One column more shifts each row by one against the row before, once the memory is
    # read in rows of another length (Dai et al., 2019, appendix B).
    padded = F.pad(scores, (1, 0)).view(B, H, width + 1, Q)
    return padded[:, :, 1:].reshape(B, H, Q, width)[..., : width + 1 - Q]
