"""What the trainer trains: the model, its criterion, and features on the device."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import Tensor, nn

from asrkit.data.batches.batch import Batch
from asrkit.data.batches.nbest import NBestLists
from asrkit.data.features.chunks import Chunker
from asrkit.data.features.fbank import Fbank, num_frames
from asrkit.data.features.spec_augment import SpecAugment
from asrkit.losses.criterion import Encoded, WeightedCriterion
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.frame_wise import compact_labels
from asrkit.utils.errors import InputError
from asrkit.utils.loss_output import LossOutput


class AsrTask(nn.Module):
    """Maps a batch to its loss.

    Args:
        model: The recognizer; parts that the criterion does not reach are frozen.
        criterion: Maps encoder output to a loss.
        features: Computes features where the batch holds audio.
        augment: Applied to the normalised features in training.
        freeze: Further parameters of the model not to train: see `freeze_parameters`.
        chunker: Cuts utterances into pieces in training; None takes them whole.
        loss_name: What the configuration calls the loss, for messages.
    """

    def __init__(
        self,
        model: AsrModel,
        criterion: WeightedCriterion,
        features: Fbank,
        augment: SpecAugment,
        *,
        freeze: Sequence[str] = (),
        chunker: Chunker | None = None,
        loss_name: str = "full",
    ) -> None:
        super().__init__()
        self.model = model
        self.criterion = criterion
        self.features = features
        self.augment = augment
        self.chunker = chunker
        self.loss_name = loss_name
        for name, module in model.named_children():
            module.requires_grad_(name in criterion.modules_used)
        freeze_parameters(model, freeze)

    def encode(self, batch: Batch) -> Encoded:
        """Run the encoder over a batch: whole, or cut into pieces in training."""
        feats, feat_lens = batch.features(self.features)
        if self.training and self.chunker is not None:
            return self._encode_pieces(self.chunker, feats, feat_lens, batch)
        layers, enc_lens = self._layers(feats, feat_lens)
        return self._encoded(
            layers,
            enc_lens,
            batch.tokens,
            batch.token_lens,
            feats=feats,
            feat_lens=feat_lens,
            alignment=batch.alignment,
            nbest=batch.nbest,
        )

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

    def explain_memory(self, batch: Batch) -> str:
        """Say how large the largest tensors of a batch are, and what to change."""
        length = batch.signal.shape[1]
        if not batch.has_features:
            length = num_frames(length, self.features.sampling_rate)
        return (
            f"B = {len(batch.ids)} utterances, {batch.seconds:.1f} s in all, of up to "
            f"T = {self.model.encoder.output_lens(length)} encoder frames and U = "
            f"{batch.tokens.shape[1]} tokens, of V = {self.model.vocab_size}, with "
            f"loss={self.loss_name}. Lower data.max_duration, set "
            "encoder.checkpoint_activations=true, choose loss=fused (no lattice of "
            "T x U x V in memory), or leave long utterances out with data.max_seconds"
        )

    def _encode_pieces(
        self, chunker: Chunker, feats: Tensor, feat_lens: Tensor, batch: Batch
    ) -> Encoded:
        assert batch.alignment is not None
        pieces = chunker(feats, feat_lens, batch.alignment)
        layers, enc_lens = self._layers(pieces.feats, pieces.feat_lens)
        return self._encoded(
            layers,
            enc_lens,
            *compact_labels(pieces.alignment),
            feats=pieces.feats,
            feat_lens=pieces.feat_lens,
            alignment=pieces.alignment,
            carried=pieces.carried,
        )

    @property
    def apart(self) -> list[str]:
        """Modules whose gradient is none of the others' business."""
        return [f"model.{name}" for name in sorted(self.criterion.modules_apart)]

    @property
    def views(self) -> int:
        """Return how often each utterance is in a batch now."""
        return self.criterion.views if self.training else 1

    def _layers(self, feats: Tensor, feat_lens: Tensor) -> tuple[list[Tensor], Tensor]:
        augment = self.augment if self.training else None
        feats, feat_lens = again(feats, self.views), again(feat_lens, self.views)
        return self.model.encode_layers(feats, feat_lens, augment)

    def _encoded(
        self,
        layers: list[Tensor],
        enc_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
        *,
        feats: Tensor,
        feat_lens: Tensor,
        alignment: Tensor | None,
        carried: Tensor | None = None,
        nbest: NBestLists | None = None,
    ) -> Encoded:
        """Put together what the encoder gave of all views and what belongs to each."""
        views = self.views
        return Encoded(
            layers[-1],
            enc_lens,
            again(tokens, views),
            again(token_lens, views),
            layers=layers,
            alignment=None if alignment is None else again(alignment, views),
            carried=None if carried is None else again(carried, views),
            nbest=nbest,
            feats=feats,
            feat_lens=feat_lens,
            views=views,
        )


def again(tensor: Tensor, times: int) -> Tensor:
    """Return a batch's rows so many times, one copy of all after another."""
    return tensor if times == 1 else tensor.repeat(times, *[1] * (tensor.ndim - 1))


def freeze_parameters(model: nn.Module, patterns: Sequence[str]) -> None:
    """Exclude parameters from training.

    Args:
        model: Whose parameters.
        patterns: Names of modules or parameters (encoder, encoder.blocks.0), or
            patterns of names (*norm*).

    Raises:
        InputError: A pattern meets no parameter.
    """
    named = dict(model.named_parameters())
    for pattern in patterns:
        met = [
            name
            for name in named
            if name.startswith(f"{pattern}.") or fnmatchcase(name, pattern)
        ]
        if not met:
            raise InputError(
                f"freeze: no parameter is called {pattern!r}; the model has "
                f"{', '.join(name for name, _ in model.named_children())}, and names "
                "below these"
            )
        for name in met:
            named[name].requires_grad_(False)
