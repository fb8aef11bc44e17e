"""What every tokenizer offers: text to token ids and back, and the files it is."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

BLANK_ID = 0
SOS_EOS_ID = 1
UNK_ID = 2
BOUNDARY = 0
"""Token id at both ends of a sentence: <s> as an input, </s> as an output.

It is the recognizer's blank, which no sentence holds, so that both share one numbering
of the vocabulary: column k > 0 of every output is token k, column 0 is </s>.
"""

SPECIAL_PIECES = ["<blk>", "<sos/eos>", "<unk>"]
TOKENS_FILE = "tokens.txt"


class Tokenizer(ABC):
    """Turns transcripts into token ids and back.

    Attributes:
        tokens: The piece of each id; ids 0, 1, 2 are `<blk>`, `<sos/eos>`, `<unk>`.
    """

    tokens: list[str]

    @property
    def vocab_size(self) -> int:
        """Number of pieces, blank and the other special pieces included."""
        return len(self.tokens)

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Return the ids of a text: never blank, `<unk>` for what is missing."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of a label sequence; blank and `<sos/eos>` are dropped."""

    @abstractmethod
    def word_spans(self, ids: Sequence[int]) -> list[range]:
        """Return the positions of each word's labels in a label sequence, in order.

        Decoding each word's labels gives the words of `decode(ids)`, and nothing for
        labels that are no word. A label between words is in no span. In Chinese and
        Japanese each character is a word; of a token of several, the token.
        """

    @abstractmethod
    def missing(self, text: str) -> list[str]:
        """List what the text has and the tokenizer lacks, sorted, each once.

        These are characters, or words for a tokenizer with a lexicon. The list is
        empty exactly when `encode(text)` has no `<unk>`.
        """

    def gives_back(self, text: str, ids: Sequence[int]) -> bool:
        """Say whether a text comes back of its ids, homophones aside.

        Args:
            text: Words with one space between them.
            ids: What `encode(text)` gives.
        """
        return self.decode(ids) == text

    def homophones(self, text: str) -> list[tuple[str, str]]:
        """List the words of a text that have the ids of the word that is decoded.

        Returns:
            Each word, as often as it comes, and the other one.
        """
        return []

    @abstractmethod
    def files(self) -> dict[str, bytes]:
        """Return all it takes to load the tokenizer again: file name to content."""

    def hotword_files(self) -> dict[str, bytes]:
        """Return what sherpa-onnx cuts hotwords into pieces with: file name to content.

        tokens.txt is needed as well.
        """
        return {}

    def save(self, folder: Path) -> None:
        """Write `files()` into a folder."""
        for name, content in self.files().items():
            with atomic_write(folder / name) as file:
                file.write(content)


@dataclass(kw_only=True)
class TokenizerConfig(ABC):
    """Base of the tokenizer configs."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the folder that keeps the tokenizer, such as `lang_bpe_500`."""

    @abstractmethod
    def train(self, texts: Iterable[str]) -> Tokenizer:
        """Make a tokenizer for these training transcripts."""


def format_tokens(tokens: Sequence[str]) -> bytes:
    """Return the content of a tokens.txt: a line `piece id` for each id."""
    lines = [f"{piece} {index}\n" for index, piece in enumerate(tokens)]
    return "".join(lines).encode()


def parse_tokens(content: bytes) -> list[str]:
    """Read the content of a tokens.txt, the inverse of `format_tokens`.

    Raises:
        InputError: A line is not `piece id`, ids do not count up from 0, a piece
            comes twice, or the first three are not the special pieces.
    """
    tokens = []
    for index, line in enumerate(decode_utf8(TOKENS_FILE, content).splitlines()):
        piece, _, number = line.rpartition(" ")
        if not piece or number != str(index):
            raise InputError(
                f"{TOKENS_FILE}, line {index + 1}: found {line!r}, "
                f"expected a piece, a space and the id {index}"
            )
        tokens.append(piece)
    if tokens[: len(SPECIAL_PIECES)] != SPECIAL_PIECES:
        raise InputError(
            f"{TOKENS_FILE}: the first pieces are {tokens[: len(SPECIAL_PIECES)]}, "
            f"expected {SPECIAL_PIECES}"
        )
    if len(set(tokens)) < len(tokens):
        twice = next(piece for piece in tokens if tokens.count(piece) > 1)
        raise InputError(f"{TOKENS_FILE}: piece {twice!r} comes more than once")
    return tokens


def decode_utf8(name: str, content: bytes) -> str:
    """Decode the content of the file called `name`.

    Raises:
        InputError: It is not UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from error
