"""SpecAugment (Park et al., 2019), on the device and without a loop over utterances."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asrkit.utils.ranges import check_range

_MORE_TIME_MASKS = 2.5
"""So many times the time masks, and what they may cover, where views are compared (Yao
et al., 2025)."""


@dataclass(kw_only=True)
class SpecAugmentConfig:
    """Time warping, frequency masks and time masks."""

    time_warp: int = 80
    """Furthest that a point in time is moved, in frames; 0 turns warping off."""
    num_freq_masks: int = 2
    """Frequency masks per utterance."""
    max_freq_mask: int = 27
    """Widest frequency mask, in bins."""
    num_time_masks: int = 10
    """Time masks per utterance."""
    max_time_mask: int = 50
    """Longest time mask, in frames."""
    max_time_share: float = 0.15
    """Most of an utterance that all its time masks together may cover, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        masks = ("num_freq_masks", "max_freq_mask", "num_time_masks", "max_time_mask")
        check_range(self, "augment.spec", *masks, "time_warp", least=0)
        check_range(self, "augment.spec", "max_time_share", least=0, most=1)

    def build(self, views: int = 1) -> "SpecAugment":
        """Make the augmentation; of several views each has more time masks."""
        more = 1.0 if views == 1 else _MORE_TIME_MASKS
        return SpecAugment(
            time_warp=self.time_warp,
            num_freq_masks=self.num_freq_masks,
            max_freq_mask=self.max_freq_mask,
            num_time_masks=round(more * self.num_time_masks),
            max_time_mask=self.max_time_mask,
            max_time_share=min(1.0, more * self.max_time_share),
            views=views,
        )


class SpecAugment(nn.Module):
    """Warps and masks normalised features; masks are filled with 0, the mean.

    Arguments as in `SpecAugmentConfig`, and `views`: how often each utterance is in a
    batch, one view after another. Views are warped alike and masked differently: a
    frame of one is the same frame of the other.
    """

    def __init__(
        self,
        *,
        time_warp: int,
        num_freq_masks: int,
        max_freq_mask: int,
        num_time_masks: int,
        max_time_mask: int,
        max_time_share: float,
        views: int = 1,
    ) -> None:
        super().__init__()
        self.time_warp = time_warp
        self.num_freq_masks = num_freq_masks
        self.max_freq_mask = max_freq_mask
        self.num_time_masks = num_time_masks
        self.max_time_mask = max_time_mask
        self.max_time_share = max_time_share
        self.views = views

    @torch.no_grad()
    def forward(self, feats: Tensor, feat_lens: Tensor) -> Tensor:
        """Augment feats (B, T_in, F) of feat_lens (B,); the shape stays."""
        if self.time_warp > 0:
            once = len(feats) // self.views
            warped = warp_time(feats[:once], feat_lens[:once], self.time_warp)
            feats = warped.repeat(self.views, 1, 1)
        B, T, num_bins = feats.shape
        bins = torch.full((B,), num_bins, device=feats.device)
        widest = torch.full((B,), self.max_freq_mask, device=feats.device)
        freq_mask = draw_masks(bins, widest, self.num_freq_masks, num_bins)
        # Masks that grow with the utterance (Park et al., 2020, adaptive size), and no
        # more than `max_time_share` of it together.
        share = feat_lens * self.max_time_share / max(self.num_time_masks, 1)
        longest = share.long().clamp(max=self.max_time_mask)
        time_mask = draw_masks(feat_lens, longest, self.num_time_masks, T)
        mask = freq_mask[:, None, :] | time_mask[:, :, None]
        return feats.masked_fill(mask, 0.0)


def draw_masks(lens: Tensor, widest: Tensor, count: int, size: int) -> Tensor:
    """Draw `count` spans per row, uniform in width and place.

    Args:
        lens: Positions that may be masked, (B,).
        widest: Largest width of a span, (B,).
        count: Spans per row.
        size: Width of the result.

    Returns:
        (B, size), bool; True is masked.
    """
    draws = torch.rand(2, len(lens), count, device=lens.device)
    width = (draws[0] * (widest[:, None] + 1)).long().minimum(lens[:, None])
    start = (draws[1] * (lens[:, None] - width + 1)).long()
    positions = torch.arange(size, device=lens.device)[None, None]
    inside = (positions >= start[..., None]) & (positions < (start + width)[..., None])
    return inside.any(dim=1)


def warp_time(feats: Tensor, feat_lens: Tensor, furthest: int) -> Tensor:
    """Move one point of each utterance in time, stretching one side of it.

    Args:
        feats: (B, T, F).
        feat_lens: (B,), int64.
        furthest: Furthest that the point moves, in frames; at most a quarter of the
            utterance.

    Returns:
        (B, T, F), linearly interpolated; lengths stay.
    """
    B, T, num_bins = feats.shape
    draws = torch.rand(2, B, device=feats.device)
    lens = feat_lens.to(feats.dtype)
    limit = (lens / 4).clamp(max=furthest)
    centre = lens / 4 + draws[0] * lens / 2
    moved = centre + (2 * draws[1] - 1) * limit
    times = torch.arange(T, device=feats.device, dtype=feats.dtype)[None]
    left = times * (centre / moved.clamp(min=1e-3))[:, None]
    slope = (lens - centre) / (lens - moved).clamp(min=1e-3)
    right = centre[:, None] + (times - moved[:, None]) * slope[:, None]
    source = torch.where(times < moved[:, None], left, right)
    last = (lens - 1).clamp(min=0)[:, None]
    # The padding keeps its place.
    source = torch.where(
        times < lens[:, None], source.clamp(min=0).minimum(last), times
    )
    low = source.floor().long().clamp(max=T - 1)
    high = (low + 1).clamp(max=T - 1)
    fraction = (source - low)[..., None]
    low, high = (i[..., None].expand(-1, -1, num_bins) for i in (low, high))
    return torch.lerp(feats.gather(1, low), feats.gather(1, high), fraction)
