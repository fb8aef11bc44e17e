"""A recognizer that listens: audio comes in packets, utterances go out."""

from dataclasses import dataclass

import torch
from torch import Tensor

from asrkit.data.features.packets import FbankPackets
from asrkit.decoding.end_points import EndPoints
from asrkit.decoding.search import Hypothesis, StreamingSearch
from asrkit.decoding.transcripts.words import Word, find_words
from asrkit.models.streaming import Streams
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.utils.errors import InputError


@dataclass(frozen=True)
class Utterance:
    """What was said between two end points."""

    start: float
    """Seconds since the stream began."""
    end: float
    """Seconds since the stream began."""
    text: str
    words: list[Word]


class Live:
    """Recognizes one stream chunk by chunk; an end point begins an utterance.

    The encoder runs on over end points, only the search begins anew: every frame
    belongs to an utterance.

    Args:
        recognizer: Its search goes on from chunk to chunk, and its encoder streams.
        size: Encoder frames of a chunk.
        left: Chunks before its own that a frame's attention sees.
        end_points: When an utterance is over.

    Raises:
        InputError: The recognizer's search cannot go on from chunk to chunk.
    """

    def __init__(
        self, recognizer: Recognizer, *, size: int, left: int, end_points: EndPoints
    ) -> None:
        if not isinstance(recognizer.search, StreamingSearch):
            raise InputError(
                f"decode={recognizer.config.decode.name}, as it is set up here, needs "
                "whole utterances; streams need decode=greedy or "
                "decode=modified_beam_search, without decode.rescore_lm and, where the "
                "tokens are phones, with decode.fusion.lexicon=false"
            )
        self.recognizer = recognizer
        self.size = size
        self.end_points = end_points
        self.packets = FbankPackets(recognizer.features)
        encoder = recognizer.model.encoder
        # Encoders with chunks to choose from have `start` and `step`.
        self.streams = Streams(encoder, 1, size=size, left=left)  # type: ignore[arg-type]
        self.search = recognizer.search.start(recognizer.model, 1)
        self.samples = 0
        self.frames = 0
        """Encoder frames that were searched."""
        self.begun = 0
        """Frame at which the present utterance began."""

    @torch.inference_mode()
    def push(self, audio: Tensor, *, ended: bool = False) -> list[Utterance]:
        """Take the next samples (S,), any number; return utterances that are over.

        Those without a word are left out. With `ended`, the last one is over, too, and
        nothing may follow.
        """
        self.samples += len(audio)
        feats = self.packets.push(audio, ended=ended)
        feats = self.recognizer.model.normalize(feats)
        new = self.streams.push({0: feats}, ended=[0] if ended else [])
        over = []
        # Chunk by chunk, so that packets of any size find the same end points.
        for enc_out in new[0].split(self.size) if new else ():
            over += self._search(enc_out)
        if ended:
            over.append(self._end())
        return [one for one in over if one.text]

    def present(self) -> Utterance:
        """Return the utterance that goes on, as far as it was heard.

        Of a beam it is the best hypothesis: what follows may take back its end.
        """
        return self._utterance(self.search.found()[0][0])

    def settled(self) -> str:
        """Return the text of the present utterance as far as nothing takes it back."""
        (nbest,), (count,) = self.search.found(), self.search.settled()
        text = self.recognizer.tokenizer.decode(nbest[0].tokens[:count])
        return text.rstrip("\ufffd")  # bytes of a character that goes on

    def _search(self, enc_out: Tensor) -> list[Utterance]:
        """Search the frames (T, D) of a chunk; return the utterance if it is over."""
        self.frames += len(enc_out)
        lens = torch.tensor([len(enc_out)], device=enc_out.device)
        self.search.advance(enc_out[None], lens)
        labels = self.search.found()[0][0].frames
        seconds = self.recognizer.frame_seconds
        length = self.frames - self.begun
        return [self._end()] if self.end_points.reached(labels, length, seconds) else []

    def _end(self) -> Utterance:
        """End the present utterance."""
        one = self.present()
        self.search.reset([0])
        self.begun = self.frames
        return one

    def _utterance(self, best: Hypothesis) -> Utterance:
        recognizer = self.recognizer
        start = self.begun * recognizer.frame_seconds
        # The last frame of a stream may be longer than what is left of it.
        heard = self.samples / recognizer.features.sampling_rate
        end = min(self.frames * recognizer.frame_seconds, heard)
        words = find_words(
            recognizer.tokenizer,
            best.tokens,
            best.frames,
            best.confidences,
            frame_seconds=recognizer.frame_seconds,
            duration=end - start,
            offset=start,
        )
        return Utterance(start, end, best.text(recognizer.tokenizer), words)
