"""Finds the frames of labels: by the transducer or by CTC, as the run trains it."""

from enum import Enum

import torch
from torch import Tensor

from asrkit.data.audio.files import cut_pieces
from asrkit.data.batches.batch import Batch, lengths, pad
from asrkit.data.features.fbank import num_frames
from asrkit.decoding.search import Hypothesis
from asrkit.decoding.transcripts.alignment import align_by_ctc, align_by_transducer
from asrkit.losses.criterion import LossConfig
from asrkit.pipeline.decode.choose_search import last_loss
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError


class By(str, Enum):
    """What aligns; the values are the names of training criteria.

    CTC comes first: its labels come where they are spoken, a transducer's often at the
    beginning of a word, so that words end too early.
    """

    CTC = "ctc"
    TRANSDUCER = "transducer"


MAX_CELLS = {By.TRANSDUCER: 50_000_000, By.CTC: 1_000_000_000}
"""Frames times labels of the longest recording: either takes about 3 GB then."""


class Aligner:
    """Encodes audio and finds the frames of its labels.

    Args:
        recognizer: Features and model.
        by: What aligns; None: CTC where it is trained.
        max_seconds: Longest stretch of audio that the encoder sees at once.
        topology: Paths of the transducer; None: those that it was trained on.

    Raises:
        InputError: The run does not train what should align.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        by: By | None,
        max_seconds: float = 30.0,
        topology: Topology | None = None,
    ) -> None:
        loss = last_loss(recognizer.config)
        self.by = choose_by(by, loss)
        self.topology = topology or loss.paths or Topology.REGULAR
        self.recognizer = recognizer
        self.max_seconds = max_seconds
        self.rate = recognizer.features.sampling_rate

    def frames(self, samples: Tensor) -> int:
        """Return the number of encoder frames of audio (S,)."""
        frames = num_frames(len(samples), self.rate)
        return self.recognizer.model.encoder.output_lens(frames)

    def align(
        self, samples: list[Tensor], labels: list[list[int]]
    ) -> list[Hypothesis | None]:
        """Align audio (S,) of any length with as many label sequences, none empty.

        Returns:
            The labels with their frames; None where there is no path.
        """
        enc_out, enc_lens = self._encode(samples)
        rows = [torch.tensor(row) for row in labels]
        return self.align_encoded(enc_out, enc_lens, pad(rows), lengths(rows))

    @torch.inference_mode()
    def align_encoded(
        self, enc_out: Tensor, enc_lens: Tensor, tokens: Tensor, token_lens: Tensor
    ) -> list[Hypothesis | None]:
        """Align enc_out (B, T, D) of enc_lens (B,) with tokens (B, U), wherever."""
        tokens, token_lens = tokens.to(enc_out.device), token_lens.to(enc_out.device)
        batch = (self.recognizer.model, enc_out, enc_lens, tokens, token_lens)
        if self.by is By.CTC:
            return align_by_ctc(*batch)
        return align_by_transducer(*batch, topology=self.topology)

    @torch.inference_mode()
    def _encode(self, samples: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return enc_out (B, T, D) and enc_lens (B,), long audio put together again."""
        pieces = [self._cut(audio) for audio in samples]
        flat = [piece for some in pieces for piece in some]
        seconds = max(len(piece) for piece in flat) / self.rate
        at_once = max(1, int(self.recognizer.config.decode.max_duration / seconds))
        encoded: list[Tensor] = []
        for first in range(0, len(flat), at_once):
            encoded += self._encode_batch(flat[first : first + at_once])
        rows = iter(encoded)
        whole = [torch.cat([next(rows) for _ in some]) for some in pieces]
        return pad(whole), lengths(whole).to(whole[0].device)

    def _cut(self, audio: Tensor) -> list[Tensor]:
        """Cut long audio at quiet places between two encoder frames."""
        frame = self.recognizer.frame_samples
        cuts = cut_pieces(audio, self.rate, self.max_seconds)
        ends = [*(end // frame * frame for _, end in cuts[:-1]), len(audio)]
        starts = [0, *ends[:-1]]
        return [audio[a:b] for a, b in zip(starts, ends, strict=True)]

    def _encode_batch(self, pieces: list[Tensor]) -> list[Tensor]:
        """Return the encoder frames of each piece, (T, D)."""
        enc_out, enc_lens = self.recognizer.encode(audio_batch(pieces, self.rate))
        rows = zip(enc_out, enc_lens.tolist(), strict=True)
        return [row[:length] for row, length in rows]


def audio_batch(samples: list[Tensor], rate: int) -> Batch:
    """Put audio (S,) without a reference into a batch."""
    empty = torch.zeros(len(samples), dtype=torch.int64)
    return Batch(
        ids=[str(i) for i in range(len(samples))],
        texts=[""] * len(samples),
        speakers=[None] * len(samples),
        signal=pad(samples),
        signal_lens=lengths(samples),
        tokens=empty[:, None],
        token_lens=empty,
        durations=[len(audio) / rate for audio in samples],
    )


def choose_by(by: By | None, loss: LossConfig) -> By:
    """Return what aligns.

    Raises:
        InputError: The loss does not train it.
    """
    can = [one for one in By if one.value in loss.trained]
    if by is None and can:
        return can[0]
    if by not in can:
        raise InputError(
            f"by {by.value if by else 'ctc or transducer'}: this run trains "
            f"{', '.join(loss.trained)} only; choose "
            f"{' or '.join(one.value for one in can) or 'another model'}"
        )
    return by
