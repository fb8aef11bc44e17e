"""An encoder with a frame rate of its own: all that adding one takes."""

from dataclasses import dataclass

from torch import nn

from asrkit.models.encoder import EncoderConfig


@dataclass(kw_only=True)
class ToyEncoderConfig(EncoderConfig):
    """Mean of every `factor` feature frames; what is over at the end is dropped."""

    factor: int = 2

    @property
    def subsampling(self):
        return self.factor

    def output_lens(self, lens):
        return lens // self.factor

    def build(self, num_bins):
        return ToyEncoder(num_bins, self)


class ToyEncoder(nn.Module):
    def __init__(self, num_bins, config):
        super().__init__()
        self.output_dim = num_bins
        self.subsampling = config.subsampling
        self.output_lens = config.output_lens
        self.blocks = nn.ModuleList([nn.Linear(num_bins, num_bins)])

    def forward(self, feats, feat_lens):
        layers, enc_lens = self.layers(feats, feat_lens)
        return layers[-1], enc_lens

    def layers(self, feats, feat_lens):
        T = self.output_lens(feats.shape[1])
        frames = feats[:, : T * self.subsampling].unflatten(1, (T, self.subsampling))
        return [self.blocks[0](frames.mean(dim=2))], self.output_lens(feat_lens)
