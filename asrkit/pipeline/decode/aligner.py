"""Finds the frames of labels: by what the run trains to find them, or to say them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import torch
from torch import Tensor

from asrkit.data.audio.files import cut_pieces
from asrkit.data.batches.batch import Batch, lengths, pad
from asrkit.data.features.fbank import num_frames
from asrkit.decoding.search import Hypothesis
from asrkit.decoding.transcripts.alignment import align_by_ctc, align_by_transducer
from asrkit.losses.criterion import LossConfig
from asrkit.models.timing_head import divide_by_prior
from asrkit.pipeline.decode.choose_search import last_loss
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError


class By(str, Enum):
    """What aligns; the values are the names of training criteria.

    The timing head comes first: it is made for that. CTC and the transducer say a label
    when they know it, which may be late, or at the beginning of a word.
    """

    TIMING = "timing"
    CTC = "ctc"
    TRANSDUCER = "transducer"


MAX_CELLS = {
    By.TIMING: 1_000_000_000,
    By.CTC: 1_000_000_000,
    By.TRANSDUCER: 50_000_000,
}
"""Frames times labels of the longest recording: each takes about 3 GB then."""


class Aligner:
    """Encodes audio and finds the frames of its labels.

    Args:
        recognizer: Features and model.
        by: What aligns; None: the timing head where it is trained, else CTC. The head
            tells the time only: scores and confidences are those of CTC, or of the
            transducer where CTC is not trained.
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
        self.scores_by = choose_scores(loss) if self.by is By.TIMING else self.by
        self.topology = topology or loss.paths or Topology.REGULAR
        self.recognizer = recognizer
        self.max_seconds = max_seconds
        self.rate = recognizer.features.sampling_rate

    @property
    def uses(self) -> set[By]:
        """All that aligns."""
        return {self.by, self.scores_by}

    @property
    def max_cells(self) -> int:
        """Frames times labels of the longest recording that it takes."""
        # Two durations of a joiner take as much as a cell does without.
        durations = self.recognizer.model.joiner.durations
        more = {By.TRANSDUCER: 1 + len(durations) // 2}
        return min(MAX_CELLS[by] // more.get(by, 1) for by in self.uses)

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
        rows = [torch.tensor(row) for row in labels]
        return self.align_heard(self._hear(samples), pad(rows), lengths(rows))

    @torch.inference_mode()
    def align_heard(
        self, heard: "Heard", tokens: Tensor, token_lens: Tensor
    ) -> list[Hypothesis | None]:
        """Align what was heard with tokens (B, U) of token_lens (B,), wherever."""
        lens = heard.enc_lens
        labels = lens, tokens.to(lens.device), token_lens.to(lens.device)
        model = self.recognizer.model
        if self.scores_by is By.TRANSDUCER:
            found = align_by_transducer(
                model, heard.enc_out, *labels, topology=self.topology
            )
        else:
            found = align_by_ctc(model.ctc_log_probs(heard.enc_out), *labels)
        if heard.timing is None:
            return found
        timing = divide_by_prior(heard.timing, lens)
        return [
            one and when and replace(one, frames=when.frames, ends=when.ends)
            for one, when in zip(found, align_by_ctc(timing, *labels), strict=True)
        ]

    @torch.inference_mode()
    def hear(self, batch: Batch) -> "Heard":
        """Compute what aligns a batch with its labels."""
        model = self.recognizer.model
        batch = batch.to(self.recognizer.device)
        feats, feat_lens = batch.features(self.recognizer.features)
        enc_out, enc_lens = model.encode(feats, feat_lens)
        timing = None
        if self.by is By.TIMING:
            timing = model.timing_logits(feats, feat_lens).float().log_softmax(dim=-1)
        return Heard(enc_lens, enc_out, timing)

    def _hear(self, samples: list[Tensor]) -> "Heard":
        """Hear audio (S,) of any length, long audio put together again."""
        pieces = [self._cut(audio) for audio in samples]
        flat = [piece for some in pieces for piece in some]
        seconds = max(len(piece) for piece in flat) / self.rate
        at_once = max(1, int(self.recognizer.config.decode.max_duration / seconds))
        parts = [
            self.hear(audio_batch(flat[first : first + at_once], self.rate))
            for first in range(0, len(flat), at_once)
        ]
        counts = [len(some) for some in pieces]
        enc_out = join([one.enc_out for one in parts], parts, counts)
        timing = [one.timing for one in parts if one.timing is not None]
        return Heard(
            lengths(enc_out).to(enc_out[0].device),
            pad(enc_out),
            pad(join(timing, parts, counts)) if timing else None,
        )

    def _cut(self, audio: Tensor) -> list[Tensor]:
        """Cut long audio at quiet places between two encoder frames."""
        frame = self.recognizer.frame_samples
        cuts = cut_pieces(audio, self.rate, self.max_seconds)
        ends = [*(end // frame * frame for _, end in cuts[:-1]), len(audio)]
        starts = [0, *ends[:-1]]
        return [audio[a:b] for a, b in zip(starts, ends, strict=True)]


@dataclass(frozen=True)
class Heard:
    """What aligns audio with its labels."""

    enc_lens: Tensor
    """(B,), int64."""
    enc_out: Tensor
    """(B, T, D)."""
    timing: Tensor | None
    """Log-probabilities of the timing head, (B, T, V); None: it does not align."""


def join(
    batches: Sequence[Tensor], heard: Sequence[Heard], counts: Sequence[int]
) -> list[Tensor]:
    """Put the frames of audio together that was heard in pieces.

    Args:
        batches: Frames of the pieces, (B, T, any) each.
        heard: The same batches, with their lengths.
        counts: Pieces of each recording.

    Returns:
        The frames of each recording, (T, any).
    """
    rows = (
        row[:length]
        for batch, one in zip(batches, heard, strict=True)
        for row, length in zip(batch, one.enc_lens.tolist(), strict=True)
    )
    return [torch.cat([next(rows) for _ in range(count)]) for count in counts]


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
            f"by {by.value if by else 'timing, ctc or transducer'}: this run trains "
            f"{', '.join(loss.trained)} only; choose "
            f"{' or '.join(one.value for one in can) or 'another model'}"
        )
    return by


def choose_scores(loss: LossConfig) -> By:
    """Return what scores labels: CTC where it is trained, else the transducer."""
    return By.CTC if By.CTC.value in loss.trained else choose_by(By.TRANSDUCER, loss)
