"""Recognizes whole recordings with the files of an export."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from asrkit.runtime.fbank import Fbank
from asrkit.runtime.joint import Joint
from asrkit.runtime.modified_beam import ModifiedBeam
from asrkit.runtime.networks import Facts, Network, read_facts
from asrkit.runtime.samples import check_samples
from asrkit.runtime.search import CtcGreedy, Greedy, Search
from asrkit.runtime.transcript import Transcript, transcribe
from asrkit.text.tokenizer import TOKENS_FILE, parse_tokens
from asrkit.utils.errors import InputError


@dataclass(frozen=True)
class Recognizer:
    """A recognizer of whole recordings."""

    encoder: Network
    """Maps features and their lengths to what the search takes."""
    search: Callable[[], Search]
    """Begins a search."""
    tokens: list[str]
    """The piece of each label."""
    facts: Facts
    """What the export says of itself."""
    fbank: Fbank
    """Computes features."""

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        int8: bool = False,
        beam: int = 1,
        threads: int = 1,
    ) -> "Recognizer":
        """Open the transducer of an export; its CTC recognizer if there is none.

        Args:
            folder: What scripts/export.py wrote.
            int8: Take the files of 8 bits.
            beam: Texts that the search keeps; 1 searches greedily.
            threads: Of onnxruntime; 0: as many as there are cores.

        Raises:
            InputError: A file is missing, or is not of this export.
        """
        files = Files(Path(folder), int8=int8, threads=threads)
        if not files.path("encoder").is_file() and files.path("ctc").is_file():
            if beam > 1:
                raise InputError(
                    f"{folder} has no transducer: there is no beam search for CTC here"
                )
            return cls.load_ctc(folder, int8=int8, threads=threads)
        encoder, joiner = files.open("encoder"), files.open("joiner")
        decoder = files.open_full("decoder")
        tokens = read_tokens(files.folder)
        facts = read_facts([encoder, decoder, joiner], len(tokens))
        search = transducer_search(Joint(decoder, joiner, facts.context_size), beam)
        fbank = Fbank(facts.sample_rate, facts.feature_dim)
        return cls(encoder, search, tokens, facts, fbank)

    @classmethod
    def load_ctc(
        cls, folder: Path | str, *, int8: bool = False, threads: int = 1
    ) -> "Recognizer":
        """Open the CTC recognizer of an export; arguments as in `load`.

        Raises:
            InputError: A file is missing, or is not of this export.
        """
        files = Files(Path(folder), int8=int8, threads=threads)
        ctc, tokens = files.open("ctc"), read_tokens(files.folder)
        facts = read_facts([ctc], len(tokens))
        fbank = Fbank(facts.sample_rate, facts.feature_dim)
        return cls(ctc, CtcGreedy, tokens, facts, fbank)

    def transcribe(self, samples: np.ndarray, rate: int) -> Transcript:
        """Recognize a recording.

        Args:
            samples: In [-1, 1], (S,), float.
            rate: Their rate in Hz.

        Raises:
            InputError: They are no recording that the model can hear.
        """
        feats = self.fbank(check_samples(samples, rate, self.facts.sample_rate))
        lens = np.array([len(feats)], dtype=np.int64)
        encoded, _ = self.encoder(feats[None], lens)
        search = self.search()
        search.push(encoded[0])
        frame = 0.01 * self.facts.subsampling_factor
        return transcribe(search.labels, self.tokens, frame)


def transducer_search(joint: Joint, beam: int) -> Callable[[], Search]:
    """Return what begins searches that keep so many texts.

    Raises:
        InputError: That is none.
    """
    if beam < 1:
        raise InputError(f"beam has to be 1 or more, got {beam}")
    return partial(ModifiedBeam, joint, beam) if beam > 1 else partial(Greedy, joint)


@dataclass(frozen=True)
class Files:
    """The files of an export."""

    folder: Path
    """Where they are."""
    int8: bool
    """Whether those of 8 bits are taken."""
    threads: int
    """Of onnxruntime."""

    def path(self, name: str) -> Path:
        """Return where a network is."""
        return self.folder / f"{name}{'.int8' if self.int8 else ''}.onnx"

    def open(self, name: str) -> Network:
        """Open a network."""
        return Network(self.path(name), self.threads)

    def open_full(self, name: str) -> Network:
        """Open a network that has no file of 8 bits."""
        return Network(self.folder / f"{name}.onnx", self.threads)


def read_tokens(folder: Path) -> list[str]:
    """Read the tokens of an export.

    Raises:
        InputError: There are none, or the file is another one's.
    """
    path = folder / TOKENS_FILE
    try:
        return parse_tokens(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}; scripts/export.py writes it"
        ) from error
    except InputError as error:
        raise InputError(f"{folder}: {error}") from error
