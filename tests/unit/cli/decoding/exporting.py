"""A run that streams, recordings to prove its export on, and the command."""

import pytest

from asrkit.cli.decoding import export as command
from asrkit.data.corpora.manifests import write_manifests
from asrkit.data.corpora.scan import Utterance, scan
from asrkit.export import sherpa
from tests.unit.cli.conftest import make_run

CHUNKS = ["encoder.chunks.sizes=[4,16,null]", "encoder.chunks.left=[2,null]"]
MONOTONIC = "loss.topology=MONOTONIC"


def make_dev(folder, waves, texts):
    """Write manifests of a set; return their folder."""
    utterances = [
        Utterance(id=f"u{n}", path=wave, text=text)
        for n, (wave, text) in enumerate(zip(waves, texts, strict=True))
    ]
    cuts, _ = scan(utterances, name="dev", jobs=1)
    write_manifests({"dev": cuts}, {}, folder / "manifests")
    return folder / "manifests"


def names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="session")
def stream_dir(tmp_path_factory):
    """A run of random weights, as if trained with chunks."""
    return make_run(tmp_path_factory.mktemp("stream"), *CHUNKS, MONOTONIC)


@pytest.fixture
def waves(make_wave):
    return [make_wave(f"{n}.wav", 1.0 + 0.7 * n) for n in range(4)]


@pytest.fixture
def run(stream_dir, tmp_path, waves, capsys):
    """Return a function that exports: the folder, and what is logged."""
    manifests = make_dev(tmp_path, waves, ["AB BA"] * len(waves))

    def run(*arguments, exp=stream_dir):
        out = tmp_path / "export"
        paths = ["--exp-dir", exp, "--manifests", manifests, "--out", out]
        assert command.main([*map(str, paths), *arguments]) == 0
        return out, capsys.readouterr().err.splitlines()

    return run


@pytest.fixture
def no_sherpa(monkeypatch):
    """As if sherpa-onnx were not installed, which saves its seconds."""
    monkeypatch.setattr(sherpa, "find_spec", lambda name: None)
