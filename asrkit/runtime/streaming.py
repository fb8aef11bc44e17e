"""Recognizes streams with the files of an export, chunk by chunk."""

from pathlib import Path
from typing import Any

import numpy as np

from asrkit.runtime.export_folder import Files, Opened
from asrkit.runtime.fbank import FbankPackets
from asrkit.runtime.samples import check_packet
from asrkit.runtime.transcript import Transcript

_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


class StreamingRecognizer(Opened):
    """A recognizer of streams.

    Its encoder is of sherpa-onnx's online transducers: it maps x (N, frames, F) and
    states to (N, T, J) and the states after that, in the same order.
    """

    @classmethod
    def load(
        cls,
        folder: Path | str,
        encoder: str | None = None,
        *,
        int8: bool = False,
        beam: int = 1,
        threads: int = 1,
    ) -> "StreamingRecognizer":
        """Open the transducer of an export with an encoder for streams.

        Args:
            folder: What scripts/export.py wrote.
            encoder: Its name, e.g. encoder-chunk0.64-left4; None: the only one.
            int8: Take the files of 8 bits.
            beam: Texts that the search keeps; 1 searches greedily.
            threads: Of onnxruntime; 0: as many as there are cores.

        Raises:
            InputError: A file is missing or is not of this export, or there are
                several encoders to choose from.
        """
        files = Files(Path(folder), int8=int8, threads=threads)
        return cls.transducer(files, files.streaming_encoder(encoder), beam)

    def stream(self) -> "Stream":
        """Begin a stream."""
        return Stream(self)


class Stream:
    """One stream.

    Args:
        recognizer: What recognizes it.
    """

    def __init__(self, recognizer: StreamingRecognizer) -> None:
        self.recognizer = recognizer
        self.window = recognizer.encoder.number("T")
        self.shift = recognizer.encoder.number("decode_chunk_len")
        self.packets = FbankPackets(recognizer.fbank)
        self.waiting = np.zeros((0, recognizer.facts.feature_dim), np.float32)
        self.states = [_zeros(one) for one in recognizer.encoder.inputs[1:]]
        self.search = recognizer.search()
        self.samples = self.chunks = 0

    def accept(self, samples: np.ndarray, rate: int) -> Transcript:
        """Take the next samples; return what was said so far.

        Args:
            samples: In [-1, 1], (S,), float, any number.
            rate: Their rate in Hz.

        Raises:
            InputError: They are none that the model can hear.
        """
        samples = np.asarray(samples)
        check_packet(samples, rate, self.recognizer.facts.sample_rate)
        self.samples += len(samples)
        self._hear(samples.astype(np.float32))
        self._encode(len(self.waiting))
        return self.transcript

    def finish(self) -> Transcript:
        """Hear the last chunk, with silence behind it; return all that was said.

        No samples may follow.
        """
        shift = self.recognizer.fbank.shift
        said = (self.samples + shift // 2) // shift  # feature frames
        self._hear(np.zeros((self.window + 2) * shift, np.float32))
        # The chunks that sherpa-onnx hears when a window and a frame of silence follow:
        # all that begin no later than the last frame's end.
        left = (said // self.shift + 1 - self.chunks) * self.shift
        self._encode(left + self.window - self.shift)
        return self.transcript

    @property
    def transcript(self) -> Transcript:
        """What was said so far."""
        return self.recognizer.write(self.search.labels)

    def _hear(self, samples: np.ndarray) -> None:
        self.waiting = np.concatenate([self.waiting, self.packets.push(samples)])

    def _encode(self, frames: int) -> None:
        """Encode whole chunks of the first `frames` that wait."""
        while frames >= self.window:
            x = self.waiting[None, : self.window]
            encoded, *self.states = self.recognizer.encoder(x, *self.states)
            self.search.push(encoded[0])
            self.waiting = self.waiting[self.shift :]
            frames -= self.shift
            self.chunks += 1


def _zeros(one: Any) -> np.ndarray:
    """Return the first of a state, of a batch of one."""
    # An axis of any size has a name instead of a number: the batch.
    shape = [size if isinstance(size, int) else 1 for size in one.shape]
    return np.zeros(shape, _TYPES[one.type])
