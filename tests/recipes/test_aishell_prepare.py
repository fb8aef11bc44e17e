"""recipes/aishell/prepare.py on a small AISHELL-1, from archives to manifests."""

import io
import tarfile
from hashlib import md5

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from asrkit.config import register
from asrkit.data.corpora import download
from asrkit.data.corpora.manifests import load_cuts
from asrkit.utils.errors import InputError
from tests.recipes.recipes import ROOT, load
from tests.unit.data.corpora.formats.reading import tone
from tests.unit.data.corpora.server import serving

prepare = load("aishell")

UTTERANCES = {"train/S0002": 3, "train/S0003": 2, "dev/S0724": 2, "test/S0764": 1}
"""By speaker."""


def packed(*paths, below):
    """Return a tar.gz of files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path in paths:
            tar.add(path, path.relative_to(below))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """As openslr 33 has them: an archive of each speaker inside of one of all."""
    folder = tmp_path_factory.mktemp("aishell")
    wav = folder / "data_aishell" / "wav"
    lines = []
    for speaker, count in UTTERANCES.items():
        name = speaker.split("/")[1]
        for number in range(count):
            id = f"BAC009{name}W{121 + number:04d}"
            tone(wav / speaker / f"{id}.wav", 0.2, rate=16000)
            lines.append(f"{id} 广州 市 \N{FULLWIDTH LATIN SMALL LETTER A} 座\n")
        (wav / f"{name}.tar.gz").write_bytes(packed(wav / speaker, below=wav))
    # A recording that nobody transcribed.
    del lines[1]
    transcript = folder / "data_aishell/transcript/aishell_transcript_v0.8.txt"
    transcript.parent.mkdir()
    transcript.write_text("".join(lines))
    info = folder / "resource_aishell" / "speaker.info"
    info.parent.mkdir()
    info.write_text("0002 F\n")
    return {
        "data_aishell.tgz": packed(*wav.glob("*.tar.gz"), transcript, below=folder),
        "resource_aishell.tgz": packed(info, below=folder),
    }


@pytest.fixture
def server(archives, monkeypatch):
    monkeypatch.setattr(download, "_PAUSE", 0)
    sums = {name: md5(content).hexdigest() for name, content in archives.items()}
    monkeypatch.setattr(prepare, "ARCHIVES", sums)
    with serving() as server:
        monkeypatch.setattr(prepare, "OPENSLR", server.url)
        server.files = {f"/{name}": content for name, content in archives.items()}
        yield server


@pytest.fixture
def run(tmp_path, capsys):
    def run(*options):
        argv = ["--corpus", "aishell", "--data-dir", str(tmp_path), *options]
        assert prepare.main(argv) == 0
        return capsys.readouterr().out

    return run


def test_from_archives_to_manifests(server, run, tmp_path):
    server.break_after = [400]  # the connection breaks off and is taken up again
    out = run()
    counts = {}
    for part in ("train", "dev", "test"):
        cuts = list(load_cuts(tmp_path / "aishell" / "manifests", part))
        counts[part] = len(cuts)
        assert {cut.supervisions[0].text for cut in cuts} == {"广州市A座"}
    assert counts == {"train": 4, "dev": 2, "test": 1}
    assert "1 left out (1: no line BAC009S0002W0122 in" in out
    assert (tmp_path / "aishell/corpus/resource_aishell/speaker.info").is_file()
    # Nothing is fetched or unpacked again.
    asked = len(server.asked)
    assert "stage 1: already done" in run()
    assert len(server.asked) == asked
    assert not list((tmp_path / "aishell/corpus/data_aishell/wav").glob("*.tar.gz"))


def test_interrupted_unpacking_goes_on(server, run, tmp_path, monkeypatch):
    def fail_at(archive, folder):
        if archive.name == "S0003.tar.gz":
            raise KeyboardInterrupt
        download.extract(archive, folder)

    with monkeypatch.context() as patch:
        patch.setattr(prepare, "extract", fail_at)
        with pytest.raises(KeyboardInterrupt):
            run()
    # Without stage 0, what is there counts as half a corpus, and is not prepared.
    with pytest.raises(InputError, match="archives are not unpacked"):
        run("--stage", "1")
    assert "train: 4 utterances" in run()


def test_published_checksums():
    assert prepare.OPENSLR == "https://www.openslr.org/resources/33"
    assert all(len(bytes.fromhex(one)) == 16 for one in prepare.ARCHIVES.values())
    assert prepare.ARCHIVES.keys() == {"data_aishell.tgz", "resource_aishell.tgz"}


EXPERIMENTS = sorted(
    path.stem for path in (ROOT / "recipes/aishell/conf/experiment").glob("*.yaml")
)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiments_compose(experiment):
    """All take characters, and a predictor that sees one of them."""
    register()
    settings = [
        f"hydra.searchpath=[file://{ROOT}/recipes/aishell/conf]",
        f"experiment={experiment}",
        "data.manifests=m",
        "data.train=[train]",
        "data.dev=[dev]",
        "data.test=[test]",
        "exp_dir=exp/x",
    ]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = OmegaConf.to_object(compose("config", settings))
    assert config.tokenizer.name == "lang_char"
    assert config.predictor.context_size == 1
