"""The files of an export, opened."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from asrkit.runtime.fbank import Fbank
from asrkit.runtime.joint import Joint
from asrkit.runtime.modified_beam import ModifiedBeam
from asrkit.runtime.networks import Facts, Network, read_facts
from asrkit.runtime.search import CtcGreedy, Greedy, Search
from asrkit.runtime.transcript import Labels, Transcript, transcribe
from asrkit.text.tokenizer import TOKENS_FILE, parse_tokens
from asrkit.utils.errors import InputError

_Kind = TypeVar("_Kind", bound="Opened")


@dataclass(frozen=True)
class Files:
    """The files of an export."""

    folder: Path
    """Where they are."""
    int8: bool
    """Whether those of 8 bits are taken."""
    threads: int
    """Of onnxruntime; 0: as many as there are cores."""

    @property
    def _ending(self) -> str:
        return ".int8.onnx" if self.int8 else ".onnx"

    def has(self, name: str) -> bool:
        """Say whether there is a network."""
        return (self.folder / (name + self._ending)).is_file()

    def open(self, name: str) -> Network:
        """Open a network."""
        return Network(self.folder / (name + self._ending), self.threads)

    def open_full(self, name: str) -> Network:
        """Open a network that has no file of 8 bits."""
        return Network(self.folder / f"{name}.onnx", self.threads)

    def streaming_encoder(self, name: str | None) -> Network:
        """Open an encoder for streams: this one, or the only one.

        Raises:
            InputError: There is none, or it is not told which.
        """
        names = sorted(
            path.name.removesuffix(self._ending)
            for path in self.folder.glob(f"encoder-*{self._ending}")
            if self.int8 or not path.name.endswith(".int8.onnx")
        )
        chosen = [one for one in names if name in (None, one)]
        if len(chosen) != 1:
            wanted = "which encoder is to stream?" if name is None else f"no {name}."
            bits, option = (" of 8 bits", " --int8") if self.int8 else ("", "")
            raise InputError(
                f"{self.folder}: {wanted} Encoders for streams{bits} there: "
                f"{', '.join(names) or 'none'}; scripts/export.py --streaming{option} "
                "writes one"
            )
        return self.open(chosen[0])

    def tokens(self) -> list[str]:
        """Read the piece of each label.

        Raises:
            InputError: There are none, or the file is another one's.
        """
        path = self.folder / TOKENS_FILE
        try:
            return parse_tokens(path.read_bytes())
        except OSError as error:
            raise InputError(
                f"{path} cannot be read: {error.strerror}; scripts/export.py writes it"
            ) from error
        except InputError as error:
            raise InputError(f"{self.folder}: {error}") from error


@dataclass(frozen=True)
class Opened:
    """A recognizer of an export."""

    encoder: Network
    """Hears."""
    search: Callable[[], Search]
    """Begins a search in what the encoder gives."""
    tokens: list[str]
    """The piece of each label."""
    facts: Facts
    """What the export says of itself."""
    fbank: Fbank
    """Computes features."""

    @classmethod
    def transducer(
        cls: type[_Kind], files: Files, encoder: Network, beam: int
    ) -> _Kind:
        """Open the transducer with one of its encoders.

        Raises:
            InputError: A file is missing, or is not of this export.
        """
        joiner, decoder = files.open("joiner"), files.open_full("decoder")
        tokens = files.tokens()
        facts = read_facts([encoder, decoder, joiner], len(tokens))
        joint = Joint(decoder, joiner, facts.context_size)
        fbank = Fbank(facts.sample_rate, facts.feature_dim)
        return cls(encoder, transducer_search(joint, beam), tokens, facts, fbank)

    @classmethod
    def ctc(cls: type[_Kind], files: Files) -> _Kind:
        """Open the CTC recognizer.

        Raises:
            InputError: A file is missing, or is not of this export.
        """
        hears, tokens = files.open("ctc"), files.tokens()
        facts = read_facts([hears], len(tokens))
        fbank = Fbank(facts.sample_rate, facts.feature_dim)
        return cls(hears, CtcGreedy, tokens, facts, fbank)

    def write(self, labels: Labels) -> Transcript:
        """Write labels as text."""
        frame = self.fbank.shift / self.fbank.sampling_rate
        return transcribe(labels, self.tokens, frame * self.facts.subsampling_factor)


def transducer_search(joint: Joint, beam: int) -> Callable[[], Search]:
    """Return what begins searches that keep so many texts; 1: greedy ones.

    Raises:
        InputError: That is none.
    """
    if beam < 1:
        raise InputError(f"beam has to be 1 or more, got {beam}")
    return partial(ModifiedBeam, joint, beam) if beam > 1 else partial(Greedy, joint)
