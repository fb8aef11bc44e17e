"""Loading a tokenizer from a folder or from a checkpoint."""

from pathlib import Path

from asrkit.text.bpe import MODEL_FILE, BpeTokenizer
from asrkit.text.char import CharTokenizer
from asrkit.text.phone import LEXICON_FILE, PhoneTokenizer
from asrkit.text.tokenizer import TOKENS_FILE, Tokenizer, parse_tokens
from asrkit.utils.errors import InputError


def tokenizer_from_files(files: dict[str, bytes]) -> Tokenizer:
    """Make the tokenizer whose `files()` these are; the names tell its kind.

    Raises:
        InputError: No kind of tokenizer has these files, or one is malformed.
    """
    if MODEL_FILE in files:
        return BpeTokenizer(files[MODEL_FILE])
    if TOKENS_FILE not in files:
        raise InputError(
            f"no tokenizer: neither {MODEL_FILE} nor {TOKENS_FILE} is there; "
            "train the tokenizer first"
        )
    tokens = parse_tokens(files[TOKENS_FILE])
    if LEXICON_FILE in files:
        return PhoneTokenizer(tokens, files[LEXICON_FILE])
    return CharTokenizer(tokens)


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load the tokenizer that `Tokenizer.save` wrote into a folder.

    Raises:
        InputError: The folder has no tokenizer, or a file of it is malformed.
    """
    paths = [folder / name for name in (MODEL_FILE, TOKENS_FILE, LEXICON_FILE)]
    files = {path.name: path.read_bytes() for path in paths if path.is_file()}
    try:
        return tokenizer_from_files(files)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from error
