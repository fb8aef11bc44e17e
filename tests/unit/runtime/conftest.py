"""A run with random weights, exported with an encoder for streams."""

from dataclasses import replace

import pytest
import torch

from asrkit.data.audio.files import read_audio
from asrkit.export import sherpa
from asrkit.models.chunks import Chunking
from asrkit.pipeline.decode.aligner import audio_batch
from asrkit.pipeline.decode.recognizer import load_recognizer
from asrkit.pipeline.experiment import AVERAGE
from asrkit.pipeline.export.export import Utterances, export, search_greedily
from tests.unit.cli.conftest import make_noise, make_wave
from tests.unit.cli.decoding.exporting import stream_dir

__all__ = ["make_wave", "stream_dir"]

CHUNKS = Chunking(size=4, left=2)


@pytest.fixture(scope="session")
def in_torch(stream_dir):
    """Load the run as asrkit does."""
    return load_recognizer(
        stream_dir / AVERAGE, torch.device("cpu"), change=search_greedily
    )


@pytest.fixture(scope="session")
def exported(in_torch, tmp_path_factory):
    """Export it; return the folder."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("exported")
    audio = torch.from_numpy(make_noise(1.0, 16000)).float()
    batch = replace(audio_batch([audio], 16000), texts=["AB BA"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sherpa, "find_spec", lambda name: None)  # saves its seconds
        export(
            in_torch, Utterances("noise", [batch]), folder,
            int8=True, streaming=CHUNKS, allow_difference=True,
        )  # fmt: skip
    return folder


@pytest.fixture
def waves(make_wave):
    """Write recordings of several lengths."""
    return [make_wave(f"{n}.wav", 0.5 + 1.3 * n) for n in range(4)]


@pytest.fixture
def batch(waves):
    """Read them as a batch for torch."""
    return audio_batch([read_audio(wave, 16000) for wave in waves], 16000)


@pytest.fixture
def search_in_torch(in_torch, batch):
    """Return a function that searches all of them by torch: the best hypotheses."""
    encoded = in_torch.encode(batch)

    def search_in_torch(search):
        return [nbest[0] for nbest in search(in_torch.model, *encoded)]

    return search_in_torch
