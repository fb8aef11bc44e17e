"""A trained model with all it needs to turn audio into words."""

import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from asrkit.data.batch import Batch
from asrkit.data.features import Fbank
from asrkit.decoding.search import Found, Search
from asrkit.models.asr_model import AsrModel
from asrkit.pipeline.config import Config
from asrkit.pipeline.stage import TrainStageConfig
from asrkit.text.load import tokenizer_from_files
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.checkpoint import State, load_checkpoint
from asrkit.utils.errors import InputError

MODEL_PREFIX = "model."


@dataclass
class Recognizer:
    """Features, model, search and tokenizer, on one device."""

    config: Config
    features: Fbank
    model: AsrModel
    tokenizer: Tokenizer
    search: Search
    device: torch.device

    @torch.inference_mode()
    def find(self, batch: Batch) -> list[Found]:
        """Search a batch."""
        batch = batch.to(self.device)
        feats, feat_lens = batch.signal, batch.signal_lens
        if not batch.has_features:
            feats, feat_lens = self.features(feats, feat_lens)
        enc_out, enc_lens = self.model.encode(feats, feat_lens)
        return self.search(self.model, enc_out, enc_lens)

    def texts(self, found: Iterable[Found]) -> list[str]:
        """Write hypotheses as text."""
        return [self.tokenizer.decode(hypothesis.tokens) for hypothesis in found]


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
    read_config: Callable[[Any], Config],
    change: Callable[[Config], Config] | None = None,
) -> Recognizer:
    """Make a recognizer from the averaged weights of a checkpoint.

    Args:
        path: The checkpoint.
        device: Where it runs.
        read_config: Turns a checkpoint's plain values into a configuration.
        change: Applied to the configuration, e.g. to choose another search.

    Raises:
        InputError: The file is missing, damaged or of another kind.
    """
    state = load_checkpoint(path)
    config = read_config(state["config"])
    if change is not None:
        config = change(config)
    check_search(config)
    tokenizer = tokenizer_from_files(state["tokenizer"])
    model = config.model.build(config.features.num_bins, tokenizer.vocab_size)
    load_weights(model, state, path)
    return Recognizer(
        config=config,
        features=config.features.build().to(device),
        model=model.to(device).eval(),
        tokenizer=tokenizer,
        search=config.decode.build(),
        device=device,
    )


def check_search(config: Config) -> None:
    """Raise InputError for a search of what no stage trains."""
    stages = [config.pipeline.stages[name] for name in config.pipeline.order]
    weights = [s.loss.weights for s in stages if isinstance(s, TrainStageConfig)]
    trained = [name for table in weights for name, w in table.items() if w > 0]
    needs = config.decode.needs
    if needs not in trained:
        raise InputError(
            f"decode={config.decode.name} searches what the criterion {needs!r} "
            f"trains, but this run trains {', '.join(trained)} only; choose "
            f"decode={'ctc_greedy' if needs == 'transducer' else 'greedy'}, or give "
            f"loss.weights.{needs} a weight"
        )


def model_weights(state: State) -> dict[str, torch.Tensor]:
    """Return the averaged weights of the model in a checkpoint."""
    return {
        name.removeprefix(MODEL_PREFIX): tensor
        for name, tensor in state["average"].items()
        if name.startswith(MODEL_PREFIX)
    }


def load_weights(model: AsrModel, state: State, path: Path) -> None:
    """Load the averaged weights of a checkpoint into a model of the same shape."""
    try:
        model.load_state_dict(model_weights(state))
    except RuntimeError as error:
        raise InputError(
            f"{path} does not fit the configuration it carries: {error}"
        ) from error
