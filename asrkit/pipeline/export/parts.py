"""What is exported: recognizers that sherpa-onnx makes of files."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.data.batches.batch import Batch
from asrkit.data.features.fbank import num_frames
from asrkit.decoding.ctc_greedy import CtcGreedySearch
from asrkit.decoding.greedy import GreedySearch
from asrkit.decoding.search import NBest
from asrkit.export.networks import (
    CtcNetwork,
    DecoderNetwork,
    EncoderNetwork,
    JoinerNetwork,
    Network,
)
from asrkit.export.onnx_file import OnnxNetwork
from asrkit.export.search import encode_chunks, search_each
from asrkit.export.sherpa import SherpaCall
from asrkit.export.stream_network import StreamNetwork
from asrkit.models.chunks import Chunking
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.runtime.joint import Joint
from asrkit.runtime.search import CtcGreedy, Greedy
from asrkit.runtime.transcript import Labels


@dataclass(frozen=True)
class Heard:
    """A batch as a part hears it."""

    feats: Tensor
    """(N, T_in, F)."""
    lens: Tensor
    """(N,), int64."""
    audio: list[Tensor]
    """Samples of each, (S,)."""


class Part(ABC):
    """A recognizer of its own in an export.

    Args:
        recognizer: On the CPU.
    """

    name: str
    acoustic: str
    """Its network that hears; its products are worth 8 bits."""
    networks: dict[str, Network]
    """Name of a file -> what is in it."""

    def __init__(self, recognizer: Recognizer) -> None:
        self.recognizer = recognizer
        self.model = recognizer.model

    def hear(self, batch: Batch) -> Heard:
        """Compute a batch's features."""
        feats, lens = batch.features(self.recognizer.features)
        rows = zip(batch.signal, batch.signal_lens.tolist(), strict=True)
        return Heard(feats, lens, [row[:length] for row, length in rows])

    @abstractmethod
    def expect(self, heard: Heard) -> tuple[Tensor, Tensor, list[NBest]]:
        """Return what the acoustic file has to give, (N, T, ·) and (N,), and find."""

    def encode(self, run: OnnxNetwork, heard: Heard) -> Tensor:
        """Return what the acoustic file gives."""
        return run(heard.feats, heard.lens)[0]

    @abstractmethod
    def search(
        self, runs: Mapping[str, OnnxNetwork], encoded: Tensor, enc_lens: Tensor
    ) -> list[Labels]:
        """Find labels in what the acoustic file gave, with the other files."""

    @abstractmethod
    def sherpa(self, files: Mapping[str, Path], tokens: Path) -> SherpaCall:
        """Return what makes sherpa-onnx run the files."""


class TransducerPart(Part):
    """The transducer, for whole utterances."""

    name = "transducer"
    acoustic = "encoder"

    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__(recognizer)
        self.networks = {
            "encoder": EncoderNetwork(self.model),
            "decoder": DecoderNetwork(self.model),
            "joiner": JoinerNetwork(self.model),
        }

    def expect(self, heard: Heard) -> tuple[Tensor, Tensor, list[NBest]]:
        """Return the encoder's side of the joiner, and what greedy search finds."""
        enc_out, enc_lens = self.enc_out(heard)
        found = GreedySearch(1)(self.model, enc_out, enc_lens)
        return self.model.joiner.enc_proj(enc_out), enc_lens, found

    def enc_out(self, heard: Heard) -> tuple[Tensor, Tensor]:
        """Return the model's encoder frames (N, T, D), and their lengths (N,)."""
        return self.model.encode(heard.feats, heard.lens)

    def search(
        self, runs: Mapping[str, OnnxNetwork], encoded: Tensor, enc_lens: Tensor
    ) -> list[Labels]:
        """Search greedily, one label a frame."""
        context = self.model.predictor.context_size
        joint = Joint(runs["decoder"].network, runs["joiner"].network, context)
        return search_each(partial(Greedy, joint), encoded, enc_lens)

    def sherpa(self, files: Mapping[str, Path], tokens: Path) -> SherpaCall:
        """Return sherpa-onnx's transducer."""
        return SherpaCall(
            "OfflineRecognizer",
            "from_transducer",
            {
                "encoder": str(files[self.acoustic]),
                "decoder": str(files["decoder"]),
                "joiner": str(files["joiner"]),
                "tokens": str(tokens),
            },
            feature_options(self.recognizer),
        )


class CtcPart(Part):
    """The CTC head, for whole utterances."""

    name = acoustic = "ctc"

    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__(recognizer)
        self.networks = {"ctc": CtcNetwork(self.model)}

    def expect(self, heard: Heard) -> tuple[Tensor, Tensor, list[NBest]]:
        """Return log-probabilities, and what is likeliest."""
        enc_out, enc_lens = self.model.encode(heard.feats, heard.lens)
        found = CtcGreedySearch()(self.model, enc_out, enc_lens)
        return self.model.ctc_log_probs(enc_out), enc_lens, found

    def search(
        self, runs: Mapping[str, OnnxNetwork], encoded: Tensor, enc_lens: Tensor
    ) -> list[Labels]:
        """Take what is likeliest."""
        return search_each(CtcGreedy, encoded, enc_lens)

    def sherpa(self, files: Mapping[str, Path], tokens: Path) -> SherpaCall:
        """Return the CTC recognizer whose contract ours fits."""
        return SherpaCall(
            "OfflineRecognizer",
            "from_zipformer_ctc",
            {"model": str(files["ctc"]), "tokens": str(tokens)},
            feature_options(self.recognizer),
        )


class StreamPart(TransducerPart):
    """The transducer, for streams.

    sherpa-onnx encodes whole chunks only, and a chunk when more than its frames are
    there. So streams are followed by silence of a chunk and a frame: all that was said
    is heard then, whatever was last of it.

    Args:
        recognizer: On the CPU.
        size: Encoder frames of a chunk.
        left: Chunks before its own that a frame's attention sees.
    """

    def __init__(self, recognizer: Recognizer, *, size: int, left: int) -> None:
        super().__init__(recognizer)
        self.chunking = Chunking(size, left)
        self.network = StreamNetwork(self.model, size=size, left=left)
        seconds = size * recognizer.frame_seconds
        self.name = f"streaming {seconds:g} s, left {left}"
        self.acoustic = f"encoder-chunk{seconds:g}-left{left}"
        del self.networks["encoder"]
        self.networks[self.acoustic] = self.network

    def hear(self, batch: Batch) -> Heard:
        """Compute the features of all chunks that sherpa-onnx encodes."""
        features, frames = self.recognizer.features, self.network.frames
        silence = (frames + 1) * features.shift
        lens = batch.signal_lens + silence
        # What lies past an utterance's end in a batch is zero already.
        feats, _ = features(F.pad(batch.signal, (0, silence)), lens)
        # num_frames + 1: of those that are there, what is more than the last chunk.
        said = num_frames(batch.signal_lens, features.sampling_rate)
        whole = (said // frames + 1) * frames
        rows = zip(F.pad(batch.signal, (0, silence)), lens.tolist(), strict=True)
        audio = [row[:length] for row, length in rows]
        return Heard(feats[:, : int(whole.max())], whole, audio)

    def enc_out(self, heard: Heard) -> tuple[Tensor, Tensor]:
        """Return what the encoder gives in one pass with the same chunks."""
        feats = self.model.normalize(heard.feats)
        return self.network.encoder.encode_chunks(feats, heard.lens, self.chunking)

    def encode(self, run: OnnxNetwork, heard: Heard) -> Tensor:
        """Run the file chunk by chunk."""
        states = self.network.start(len(heard.lens))
        return encode_chunks(run, heard.feats, self.network.frames, states)

    def sherpa(self, files: Mapping[str, Path], tokens: Path) -> SherpaCall:
        """Return sherpa-onnx's streaming transducer."""
        call = super().sherpa(files, tokens)
        return SherpaCall("OnlineRecognizer", call.make, call.files, call.options)


def feature_options(recognizer: Recognizer) -> dict[str, int]:
    """Return what sherpa-onnx is told of features, as it does not ask the files."""
    features = recognizer.features
    return {"sample_rate": features.sampling_rate, "feature_dim": features.num_bins}


PARTS: dict[str, type[TransducerPart | CtcPart]] = {
    "transducer": TransducerPart,
    "ctc": CtcPart,
}
"""What a run trains -> the part for whole utterances."""


@torch.inference_mode()
def expectation(part: Part, batch: Batch) -> tuple[Heard, Tensor, Tensor, list[Labels]]:
    """Return a batch as the part hears it, and what the model makes of it."""
    heard = part.hear(batch)
    encoded, enc_lens, nbests = part.expect(heard)
    labels: list[Labels] = [
        list(zip(nbest[0].tokens, nbest[0].frames, strict=True)) for nbest in nbests
    ]
    return heard, encoded, enc_lens, labels
