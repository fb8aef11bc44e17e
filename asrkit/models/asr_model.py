"""The recognizer: everything that decoding needs, nothing that only training needs."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asrkit.models.chunks import Chunking
from asrkit.models.encoder import Encoder, EncoderConfig, StreamingEncoder
from asrkit.models.joiner import Joiner, JoinerConfig
from asrkit.models.predictor import Predictor, PredictorConfig
from asrkit.models.timing_head import TimingHead


@dataclass(kw_only=True)
class ModelConfig:
    """The parts of a recognizer, put together from their groups."""

    encoder: EncoderConfig
    """Acoustic network."""
    predictor: PredictorConfig
    """Label network."""
    joiner: JoinerConfig
    """Joins the two."""

    def build(self, num_bins: int, vocab_size: int) -> "AsrModel":
        """Make the model for `num_bins` feature bins and `vocab_size` tokens."""
        encoder = self.encoder.build(num_bins)
        predictor = self.predictor.build(vocab_size)
        joiner = self.joiner.build(encoder.output_dim, predictor.output_dim, vocab_size)
        return AsrModel(
            num_bins, vocab_size, encoder=encoder, predictor=predictor, joiner=joiner
        )


class AsrModel(nn.Module):
    """A transducer (Graves, 2012) with a CTC head on the same encoder.

    Beside them stands what tells when labels are spoken.

    Args:
        num_bins: Feature bins, F.
        vocab_size: Tokens with blank (id 0), V.
        encoder: Acoustic network.
        predictor: Label network.
        joiner: Joins the two.
    """

    feature_mean: Tensor
    feature_scale: Tensor

    def __init__(
        self,
        num_bins: int,
        vocab_size: int,
        *,
        encoder: Encoder,
        predictor: Predictor,
        joiner: Joiner,
    ) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.encoder = encoder
        self.predictor = predictor
        self.joiner = joiner
        self.ctc_head = nn.Linear(encoder.output_dim, vocab_size)
        self.timing_head = TimingHead(num_bins, vocab_size, encoder.subsampling)
        self.register_buffer("feature_mean", torch.zeros(num_bins))
        self.register_buffer("feature_scale", torch.ones(num_bins))
        self.register_load_state_dict_pre_hook(_keep_timing_head)

    def set_feature_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Keep the training data's mean and standard deviation per bin, (F,) each."""
        self.feature_mean.copy_(mean)
        self.feature_scale.copy_(1.0 / std.clamp(min=1e-5))

    def normalize(self, feats: Tensor) -> Tensor:
        """Return features (B, T_in, F) with mean 0 and variance 1 in training."""
        return (feats - self.feature_mean) * self.feature_scale

    def encode(
        self, feats: Tensor, feat_lens: Tensor, chunking: Chunking | None = None
    ) -> tuple[Tensor, Tensor]:
        """Encode features as the extractor gives them.

        Args:
            feats: (B, T_in, F).
            feat_lens: (B,), int64.
            chunking: What frames see; None: what the encoder lets them see. Only a
                `StreamingEncoder` takes one.

        Returns:
            enc_out (B, T, D) and enc_lens (B,), int64.
        """
        feats = self.normalize(feats)
        if chunking is None:
            return self.encoder(feats, feat_lens)
        encoder: StreamingEncoder = self.encoder  # type: ignore[assignment]
        return encoder.encode_chunks(feats, feat_lens, chunking)

    def encode_layers(
        self,
        feats: Tensor,
        feat_lens: Tensor,
        augment: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> tuple[list[Tensor], Tensor]:
        """Do the same, but return what each of the encoder's blocks gave.

        `augment` is applied to the normalised features in training.
        """
        feats = self.normalize(feats)
        if augment is not None:
            feats = augment(feats, feat_lens)
        return self.encoder.layers(feats, feat_lens)

    def ctc_log_probs(self, enc_out: Tensor) -> Tensor:
        """Map enc_out (B, T, D) to the CTC head's log-probabilities (B, T, V)."""
        return self.ctc_head(enc_out).float().log_softmax(dim=-1)

    def timing_logits(self, feats: Tensor, feat_lens: Tensor) -> Tensor:
        """Map features, as the extractor gives them, to the timing head's logits.

        Args:
            feats: (B, T_in, F).
            feat_lens: (B,), int64.

        Returns:
            (B, T, V).
        """
        num_frames = self.encoder.output_lens(feats.shape[1])
        logits: Tensor = self.timing_head(self.normalize(feats), feat_lens, num_frames)
        return logits


def _keep_timing_head(
    module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object
) -> None:
    """Load checkpoints from before there was a timing head: it stays as it is."""
    own = f"{prefix}timing_head."
    if not any(key.startswith(own) for key in state):
        head = module.get_submodule("timing_head").state_dict()
        state |= {own + name: tensor for name, tensor in head.items()}
