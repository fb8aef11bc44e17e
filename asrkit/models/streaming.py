"""Streams whose features come in packets of any size."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from asrkit.models.encoder import StreamingEncoder


class Streams:
    """Encodes B streams, which begin and end at different times, chunk by chunk.

    What comes out is what the encoder gives for the whole stream at once with
    the same chunks, whichever packets it came in.

    Args:
        encoder: In evaluation mode.
        batch_size: Streams at a time, B.
        size: Encoder frames of a chunk.
        left: Chunks before its own that a frame's attention sees.
    """

    def __init__(
        self, encoder: StreamingEncoder, batch_size: int, *, size: int, left: int
    ) -> None:
        self.encoder = encoder
        self.chunk = size * encoder.subsampling
        self.state = encoder.start(batch_size, size=size, left=left)
        self.waiting = list(self.state.feats[:, :0])

    @torch.no_grad()
    def push(
        self, packets: Mapping[int, Tensor], ended: Collection[int] = ()
    ) -> dict[int, Tensor]:
        """Take what has come of some streams and encode all chunks that are full.

        Args:
            packets: By row (0 to B - 1): normalised features, (frames, F), any number.
            ended: Rows whose streams end with this: the last chunk need not be
                full. What is pushed to the row next is a new stream.

        Returns:
            By row: the new encoder frames, (frames, D); rows without any are not there.
        """
        for row, feats in packets.items():
            self.waiting[row] = torch.cat([self.waiting[row], feats])
        given: dict[int, list[Tensor]] = {}
        while any(lens := self._next_lens(ended)):
            for row, frames in self._step(lens).items():
                given.setdefault(row, []).append(frames)
        if ended:
            self.state = self.state.reset(ended)
        return {row: torch.cat(frames) for row, frames in given.items()}

    def _next_lens(self, ended: Collection[int]) -> list[int]:
        """Return the feature frames of each row's next chunk; 0: it has to wait."""
        lens = []
        for row, feats in enumerate(self.waiting):
            whole = len(feats) >= self.chunk or row in ended
            lens.append(min(len(feats), self.chunk) if whole else 0)
        return lens

    def _step(self, lens: list[int]) -> dict[int, Tensor]:
        """Encode that much of each row; return the frames of those that have some."""
        past = self.state.feats
        feats = past.new_zeros(len(lens), self.chunk, past.shape[2])
        for row, length in enumerate(lens):
            feats[row, :length] = self.waiting[row][:length]
            self.waiting[row] = self.waiting[row][length:]
        feat_lens = torch.tensor(lens, device=feats.device)
        enc_out, enc_lens, self.state = self.encoder.step(feats, feat_lens, self.state)
        frames = enumerate(enc_lens.tolist())
        return {row: enc_out[row, :length] for row, length in frames if length}
