"""Aligns audio with labels: what scripts/align.py and scripts/transcribe.py share."""

import torch
from torch import Tensor

from asrkit.data.audio_files import cut_pieces
from asrkit.data.batches.batch import Batch, lengths, pad
from asrkit.data.features.fbank import num_frames
from asrkit.decoding.search import Hypothesis
from asrkit.decoding.transcripts.alignment import align_by_ctc, align_by_transducer
from asrkit.losses.transducer import TransducerLossConfig
from asrkit.pipeline.config import Config
from asrkit.pipeline.decode.choose_search import last_loss
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.pipeline.stages.align import By
from asrkit.transducer.rules import Rules, Topology
from asrkit.utils.errors import InputError

MAX_CELLS = {By.TRANSDUCER: 50_000_000, By.CTC: 1_000_000_000}
"""Frames times labels of the longest recording: either takes about 3 GB then."""


class Aligner:
    """Encodes audio and finds the frames of its labels.

    Args:
        recognizer: Features and model.
        by: What aligns; None takes CTC where it is trained: a transducer often emits
            all labels of a word at its beginning, so that words end too early.
        max_seconds: Longest stretch of audio that the encoder sees at once.

    Raises:
        InputError: The run does not train what should align.
    """

    def __init__(
        self, recognizer: Recognizer, by: By | None, max_seconds: float
    ) -> None:
        trained = trained_rules(recognizer.config)
        if by is None:
            by = By.CTC if By.CTC in trained else By.TRANSDUCER
        if by not in trained:
            raise InputError(
                f"--by {by.value}: this run trains "
                f"{', '.join(one.value for one in trained)} only; choose that"
            )
        self.recognizer = recognizer
        self.by = by
        self.rules = trained[by]
        self.max_seconds = max_seconds
        self.rate = recognizer.features.sampling_rate

    def frames(self, samples: Tensor) -> int:
        """Return the number of encoder frames of audio (S,)."""
        frames = num_frames(len(samples), self.rate)
        return self.recognizer.model.encoder.output_lens(frames)

    @torch.inference_mode()
    def align(
        self, samples: list[Tensor], labels: list[list[int]]
    ) -> list[Hypothesis | None]:
        """Align audio (S,) with as many label sequences, none of them empty.

        Returns:
            The labels with their frames; None where there is no path.
        """
        enc_out, enc_lens = self._encode(samples)
        rows = [torch.tensor(row) for row in labels]
        tokens = pad(rows).to(enc_out.device)
        token_lens = lengths(rows).to(enc_out.device)
        batch = (self.recognizer.model, enc_out, enc_lens, tokens, token_lens)
        if self.by is By.CTC:
            return align_by_ctc(*batch)
        return align_by_transducer(*batch, rules=self.rules)

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


def trained_rules(config: Config) -> dict[By, Rules]:
    """Return what a model trains that can align, and by which rules."""
    loss = last_loss(config)
    hat = isinstance(loss, TransducerLossConfig) and loss.hat
    rules = Rules(loss.paths or Topology.REGULAR, hat=hat)
    return {by: rules for by in By if by.value in loss.trained}
