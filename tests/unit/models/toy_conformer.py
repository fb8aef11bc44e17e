"""A small conformer whose every part counts, and what it gives in one pass."""

import torch

from asrkit.models.chunks import Chunking
from asrkit.models.conformer import ConformerConfig, Positions

BINS = 20


def build(positions=Positions.ROTARY, **changes):
    values = {
        "num_layers": 3, "dim": 16, "num_heads": 2, "ff_dim": 32, "kernel_size": 9,
        "dropout": 0.0, "subsampling_channels": 4, **changes,
    }  # fmt: skip
    encoder = ConformerConfig(positions=positions, **values).build(num_bins=BINS)
    # Branches begin small, and biases of positions at zero: here they count.
    for name, parameter in encoder.named_parameters():
        if "norm" not in name:
            torch.nn.init.normal_(parameter, std=2 * parameter.shape[-1] ** -0.5)
    return encoder


def whole(encoder, feats, size, left):
    """Return the frames of one utterance (T_in, F), by the masked pass."""
    lens = torch.tensor([len(feats)])
    with torch.no_grad():
        return encoder.encode_chunks(feats[None], lens, Chunking(size, left))[0][0]


def close(one, other):
    torch.testing.assert_close(one, other, rtol=0, atol=1e-4)
