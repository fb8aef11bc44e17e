"""Opens trained language models for those who decode with them."""

from collections.abc import Mapping
from pathlib import Path

import torch

from asrkit.models.lm.language_model import LanguageModel
from asrkit.pipeline.saved_config import read_config
from asrkit.pipeline.tasks.lm_task import LmTask
from asrkit.text.load import tokenizer_from_files
from asrkit.text.tokenizer import Tokenizer
from asrkit.training.checkpoints.checkpoint import State, load_checkpoint
from asrkit.utils.errors import InputError


def load_lm(
    path: Path,
    device: torch.device,
    *,
    tokenizer: Tokenizer,
) -> LanguageModel:
    """Make a language model from the averaged weights of a checkpoint.

    Args:
        path: The checkpoint, or the folder of the training (exp/x/lm_lstm).
        device: Where it runs.
        tokenizer: The recognizer's.

    Raises:
        InputError: The file is missing, damaged, no language model, or one over
            other tokens.
    """
    if path.is_dir():
        path = path / "checkpoints" / "best.pt"
    state = load_checkpoint(path)
    config = state["config"]
    if not isinstance(config, Mapping) or "encoder" in config or "lm" not in config:
        raise InputError(
            f"{path} is a recognizer, not a language model; scripts/train_lm.py "
            "trains language models"
        )
    check_tokens(state, tokenizer, path)
    lm = read_config(config["lm"])
    task = LmTask(lm.model.build(tokenizer.vocab_size))
    task.load_state_dict(state["average"])
    return task.model.to(device).eval()


def check_tokens(state: State, tokenizer: Tokenizer, path: Path) -> None:
    """Raise InputError if a language model's tokens are not the recognizer's."""
    own = tokenizer_from_files(state["tokenizer"])
    if own.tokens == tokenizer.tokens:
        return
    pairs = zip(own.tokens, tokenizer.tokens, strict=False)
    differ = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
    where = (
        ""
        if differ is None
        else f"; token {differ} is {own.tokens[differ]!r} there and "
        f"{tokenizer.tokens[differ]!r} here"
    )
    raise InputError(
        f"{path} is a language model over {_name(own)}, the recognizer has "
        f"{_name(tokenizer)}{where}; train one with the recognizer's data.lang_dir"
    )


def _name(tokenizer: Tokenizer) -> str:
    """Name a tokenizer by its kind and size, e.g. "500 tokens (Bpe)"."""
    kind = type(tokenizer).__name__.removesuffix("Tokenizer")
    return f"{tokenizer.vocab_size} tokens ({kind})"
