"""Tells labels by the sound around a frame, to find where they are spoken."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asrkit.utils.lengths import make_pad_mask

BANDS = 20
"""Bands of the spectrum that it hears: neighbouring feature bins are averaged."""
CONTEXT = 4
"""Feature frames that it hears before and after those of an encoder frame."""
HIDDEN = 128
"""Units of its hidden layer."""
PRIOR_SCALE = 1.5
"""Exponent of the prior that its probabilities are divided by."""


class TimingHead(nn.Module):
    """A small network on a window of the features, apart from the encoder.

    An encoder sees the whole utterance and may say a label at any time. What hears a
    tenth of a second can only say it when it is spoken.

    Args:
        num_bins: Feature bins, F.
        vocab_size: Tokens with blank (id 0), V.
        subsampling: Feature frames to an encoder frame.
    """

    bands: Tensor

    def __init__(self, num_bins: int, vocab_size: int, subsampling: int) -> None:
        super().__init__()
        bands = F.adaptive_avg_pool1d(torch.eye(num_bins), min(BANDS, num_bins))
        self.register_buffer("bands", bands, persistent=False)
        self.step = subsampling
        self.window = subsampling + 2 * CONTEXT
        # Others draw the same random numbers as without this head.
        with torch.random.fork_rng(devices=[]):
            self.norm = nn.LayerNorm(bands.shape[1] * self.window)
            self.hidden = nn.Linear(bands.shape[1] * self.window, HIDDEN)
            self.output = nn.Linear(HIDDEN, vocab_size)

    def forward(self, feats: Tensor, feat_lens: Tensor, num_frames: int) -> Tensor:
        """Score the labels.

        Args:
            feats: Normalised features, (B, T_in, F).
            feat_lens: (B,), int64.
            num_frames: Encoder frames of the longest utterance, T.

        Returns:
            Logits, (B, T, V). Frame t is that of the encoder: in the middle of its
            window are the feature frames from t * subsampling on.
        """
        padding = make_pad_mask(feat_lens, feats.shape[1])
        x = (feats @ self.bands).masked_fill(padding[..., None], 0.0)
        after = (num_frames - 1) * self.step + self.window - CONTEXT - x.shape[1]
        x = F.pad(x, (0, 0, CONTEXT, after))
        x = x.unfold(1, self.window, self.step).flatten(2)
        return self.output(F.silu(self.hidden(self.norm(x))))


def divide_by_prior(log_probs: Tensor, enc_lens: Tensor) -> Tensor:
    """Return log p_t(k) - 1.5 log q(k), q being the mean of an utterance's p_t.

    What a label scores in a frame is then how much likelier it is there than elsewhere,
    and blank, which is likely everywhere, has no advantage. Above 1 the exponent makes
    up for what q itself takes over from frames that are unsure.

    Args:
        log_probs: (B, T, V), float32 or better.
        enc_lens: (B,), int64.

    Returns:
        (B, T, V).
    """
    padding = make_pad_mask(enc_lens, log_probs.shape[1])[..., None]
    sums = log_probs.exp().masked_fill(padding, 0.0).sum(dim=1)
    prior = sums / enc_lens[:, None].clamp(min=1)
    tiny = torch.finfo(prior.dtype).tiny
    return log_probs - PRIOR_SCALE * prior.clamp(min=tiny).log()[:, None]
