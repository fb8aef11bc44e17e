"""What the trainer trains: the model, its criterion, and features on the device."""

from torch import Tensor, nn

from asrkit.data.batch import Batch
from asrkit.data.features import Fbank
from asrkit.data.spec_augment import SpecAugment
from asrkit.losses.criterion import Encoded, WeightedCriterion
from asrkit.models.asr_model import AsrModel
from asrkit.utils.loss_output import LossOutput


class AsrTask(nn.Module):
    """Maps a batch to its loss.

    Args:
        model: The recognizer; parts that the criterion does not reach are frozen.
        criterion: Maps encoder output to a loss.
        features: Computes features where the batch holds audio.
        augment: Applied to the normalised features in training.
        frozen: Further parts of the model not to train.
    """

    def __init__(
        self,
        model: AsrModel,
        criterion: WeightedCriterion,
        features: Fbank,
        augment: SpecAugment,
        frozen: set[str],
    ) -> None:
        super().__init__()
        self.model = model
        self.criterion = criterion
        self.features = features
        self.augment = augment
        trained = criterion.modules_used - frozen
        for name, module in model.named_children():
            module.requires_grad_(name in trained)

    def encode(self, batch: Batch) -> Encoded:
        """Run the encoder over a batch."""
        feats, feat_lens = self.compute_features(batch)
        augment = self.augment if self.training else None
        enc_out, enc_lens = self.model.encode(feats, feat_lens, augment)
        return Encoded(enc_out, enc_lens, batch.tokens, batch.token_lens)

    def compute_features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return features (B, T_in, F) and their lengths, stored or computed now."""
        if batch.has_features:
            return batch.signal, batch.signal_lens
        feats, feat_lens = self.features(batch.signal, batch.signal_lens)
        return feats, feat_lens

    def forward(self, batch: Batch) -> LossOutput:
        """Return the summed loss of a batch."""
        return self.loss(batch, self.encode(batch))

    def loss(self, batch: Batch, encoded: Encoded) -> LossOutput:
        """Return the summed loss of an encoded batch."""
        output: LossOutput = self.criterion(self.model, encoded)
        seconds = output.loss.new_tensor(batch.seconds)
        output.stats["audio_seconds"] = seconds
        output.stats["utterances"] = encoded.enc_lens.new_tensor(len(batch.ids))
        return output
