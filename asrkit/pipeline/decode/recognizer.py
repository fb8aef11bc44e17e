"""A trained model with all it needs to turn audio into words."""

import logging
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asrkit.data.batches.batch import Batch
from asrkit.data.features.fbank import Fbank
from asrkit.decoding.search import NBest, Search
from asrkit.models.asr_model import AsrModel
from asrkit.models.chunks import Chunking
from asrkit.pipeline.config import Config
from asrkit.pipeline.decode.choose_search import choose_search, last_loss
from asrkit.pipeline.decode.chunks import choose_chunks
from asrkit.pipeline.decode.fusion import build_search
from asrkit.pipeline.decode.weights import model_weights
from asrkit.pipeline.saved_config import read_config
from asrkit.text.load import tokenizer_from_files
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.checkpoints.checkpoint import State, load_checkpoint
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


@dataclass
class Recognizer:
    """Features, model, search and tokenizer, on one device."""

    config: Config
    features: Fbank
    model: AsrModel
    tokenizer: Tokenizer
    search: Search
    device: torch.device
    chunks: tuple[int, int] | None = None
    """Encoder frames of a chunk, and chunks before it that they see; None: frames see
    the whole utterance."""

    @property
    def frame_samples(self) -> int:
        """Samples of audio to an encoder frame."""
        return self.model.encoder.subsampling * self.features.shift

    @property
    def frame_seconds(self) -> float:
        """Seconds of audio to an encoder frame."""
        return self.frame_samples / self.features.sampling_rate

    def find(self, batch: Batch) -> list[NBest]:
        """Search a batch; one that does not fit the device's memory in halves."""
        try:
            return self.search(self.model, *self.encode(batch))
        except torch.OutOfMemoryError:
            size = len(batch.ids)
            if size == 1:
                raise InputError(
                    f"utterance {batch.ids[0]!r} of {batch.seconds:.0f} s does not fit "
                    "the device's memory; cut it into pieces, or decode on a CPU"
                ) from None
        logger.warning("a batch of %d utterances does not fit, halved", size)
        torch.cuda.empty_cache()
        left, right = batch.split(size // 2)
        return [*self.find(left), *self.find(right)]

    @torch.inference_mode()
    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return enc_out (B, T, D) and enc_lens (B,) of a batch."""
        feats, feat_lens = batch.to(self.device).features(self.features)
        chunking = Chunking(*self.chunks) if self.chunks else None
        return self.model.encode(feats, feat_lens, chunking)

    def texts(self, found: Iterable[NBest]) -> list[str]:
        """Write the best hypotheses as text."""
        return [nbest[0].text(self.tokenizer) for nbest in found]


def describe(config: object, tokenizer: Tokenizer) -> dict[str, Any]:
    """Return what a checkpoint carries besides state: enough to decode with it alone.

    Args:
        config: The run's configuration as plain values.
        tokenizer: Its files travel with the checkpoint.
    """
    packages = ("asrkit", "torch", "lhotse", "sentencepiece")
    return {
        "config": config,
        "tokenizer": tokenizer.files(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in packages},
        },
    }


def load_recognizer(
    path: Path,
    device: torch.device,
    *,
    change: Callable[[Config], Config] | None = None,
) -> Recognizer:
    """Make a recognizer from the averaged weights of a checkpoint.

    Args:
        path: The checkpoint.
        device: Where it runs.
        change: Applied to the configuration, e.g. to choose another search.

    Raises:
        InputError: The file is missing, damaged or of another kind, or the encoder has
            not met the chunks in training that it should decode in.
    """
    state = load_checkpoint(path)
    if "encoder" not in state["config"]:
        raise InputError(
            f"{path} is a language model, not a recognizer; --lm {path} fuses it"
        )
    config: Config = read_config(state["config"])
    if change is not None:
        config = change(config)
    loss = last_loss(config)
    config.decode = choose_search(config.decode, loss, config.joiner)
    tokenizer = tokenizer_from_files(state["tokenizer"])
    model = config.model.build(config.features.num_bins, tokenizer.vocab_size)
    load_weights(model, state, path)
    model = model.to(device).eval()
    recognizer = Recognizer(
        config=config,
        features=config.features.build().to(device),
        model=model,
        tokenizer=tokenizer,
        search=build_search(config.decode, model, tokenizer, device),
        device=device,
    )
    frame = recognizer.frame_seconds
    recognizer.chunks = choose_chunks(config.decode, config.encoder, frame)
    return recognizer


def load_weights(model: AsrModel, state: State, path: Path) -> None:
    """Load the averaged weights of a checkpoint into a model of the same shape."""
    try:
        model.load_state_dict(model_weights(state))
    except RuntimeError as error:
        raise InputError(
            f"{path} does not fit the configuration it carries: {error}"
        ) from error
