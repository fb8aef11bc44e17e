"""recipes/librispeech/prepare.py on a corpus of a few files."""

import os

import numpy as np
import pytest
import soundfile
from hydra import compose, initialize_config_dir
from lhotse import CutSet
from lhotse.testing.dummies import dummy_cut, dummy_supervision
from omegaconf import OmegaConf

from asrkit.cli.recipe import spoken
from asrkit.config import register
from asrkit.data.corpora.formats import librispeech
from asrkit.data.corpora.manifests import (
    list_parts,
    load_cuts,
    manifest_path,
    write_manifests,
)
from asrkit.utils.errors import InputError
from tests.recipes.recipes import ROOT, load

prepare = load("librispeech")


def record(corpus, part, id="1-2-0000", length=1600):
    chapter = corpus / part / "1" / "2"
    chapter.mkdir(parents=True, exist_ok=True)
    soundfile.write(chapter / f"{id}.flac", np.full(length, 0.1), 16000)
    with (chapter / "1-2.trans.txt").open("a") as file:
        file.write(f"{id} HELLO\n")


@pytest.fixture
def corpus(tmp_path):
    for part in ("train", "dev", "test"):
        record(tmp_path / "mine", part)
    return tmp_path / "mine"


@pytest.fixture
def run(corpus, tmp_path, capsys):
    def run(*options):
        argv = ["--corpus", str(corpus), "--data-dir", str(tmp_path / "data")]
        assert prepare.main([*argv, *options]) == 0
        return capsys.readouterr().out

    return run


def test_manifests_of_a_folder(run, tmp_path):
    lines = run().splitlines()
    assert lines[0].startswith("stage 0: recordings in ")
    reading, written = lines[1:-1:2], lines[2:-1:2]
    for some in (reading, written):
        assert [line.split(":")[0] for line in some] == ["  train", "  dev", "  test"]
    assert "/mine/dev, LibriSpeech layout" in reading[1]
    assert lines[-1].startswith("stage 1: manifests in ")
    assert list_parts(tmp_path / "data" / "mine" / "manifests") == [
        "dev",
        "test",
        "train",
    ]


def test_second_run_does_nothing(run, monkeypatch):
    run()
    monkeypatch.setattr(librispeech, "_read_chapter", None)
    assert "stage 1: already done" in run()


@pytest.mark.parametrize("change", ["new file", "longer file", "same size, new time"])
def test_changed_corpus_is_read_again(run, corpus, change):
    run()
    path = corpus / "dev" / "1" / "2" / "1-2-0000.flac"
    if change == "new file":
        record(corpus, "dev", id="1-2-0001")
    elif change == "longer file":
        soundfile.write(path, np.full(3200, 0.1), 16000)
    else:
        os.utime(path, ns=(0, 0))
    assert "already done" not in run()
    assert "already done" in run()


def test_deleted_manifest_is_made_again(run, tmp_path):
    run()
    path = manifest_path(tmp_path / "data" / "mine" / "manifests", "dev")
    path.unlink()
    run()
    assert path.exists()


def test_manifest_of_a_part_that_is_gone(run, corpus, tmp_path):
    run()
    (corpus / "test").rename(corpus / "kept")
    assert "note: " in run()
    assert list_parts(tmp_path / "data" / "mine" / "manifests") == ["dev", "train"]


def test_failed_run_is_not_taken_for_done(run, corpus):
    run()
    test = corpus / "test" / "1" / "2" / "1-2-0000.flac"
    test.rename(corpus / "kept.flac")
    for _ in range(2):
        with pytest.raises(InputError, match="test: no utterance can be used"):
            run()
    # As it was at first, but its manifest is not.
    (corpus / "kept.flac").rename(test)
    assert "already done" not in run()


def test_missing_parts_are_named(run, corpus):
    (corpus / "dev").rename(corpus / "kept")
    (corpus / "test").rename(corpus / "train-b")
    out = run()
    assert (
        "has no part to choose checkpoints by (dev), none to report on (test); "
        "there are train, train-b\n"
    ) in out


def test_stages_can_be_chosen(run, tmp_path):
    assert "stage 1" not in run("--stop-stage", "0")
    assert "stage 0" not in run("--stage", "1", "--stop_stage", "1")
    assert run("--stage", "3", "--stop-stage", "8") == ""


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        prepare.main(["--corpus", str(tmp_path / "no"), "--data-dir", str(tmp_path)])


@pytest.mark.parametrize("corpus", ["demo", "demo_hard", "mini"])
def test_named_corpora(corpus, tmp_path, monkeypatch, capsys):
    """The recipe finds what download and synthesis leave."""

    def make(folder, *_, **__):
        for part in ("train", "dev", "test"):
            record(folder, part)

    monkeypatch.setattr(spoken, "synthesize", make)
    monkeypatch.setattr(
        prepare, "download_archive", lambda _, to, md5: make(to / "LibriSpeech")
    )
    prepare.main(["--corpus", corpus, "--data-dir", str(tmp_path)])
    (cut,) = load_cuts(tmp_path / corpus / "manifests", "dev")
    assert cut.recording.sources[0].source.startswith(str(tmp_path / corpus / "corpus"))
    assert "stage 1: manifests in" in capsys.readouterr().out


@pytest.mark.parametrize("corpus", ["demo", "demo_hard"])
def test_spoken_corpora_have_experiments_of_their_own(corpus, tmp_path, capsys):
    cut = dummy_cut(0, duration=10.0, supervisions=[dummy_supervision(0)])
    parts = dict.fromkeys(("train", "dev", "test"), CutSet.from_cuts([cut]))
    write_manifests(parts, {}, tmp_path / corpus / "manifests")
    prepare.main(["--corpus", corpus, "--data-dir", str(tmp_path), "--settings"])
    lines = capsys.readouterr().out.splitlines()
    assert f"experiment={corpus}" in lines
    register()
    search = f"hydra.searchpath=[file://{ROOT}/recipes/librispeech/conf]"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = OmegaConf.to_object(compose("config", [search, *lines]))
    assert config.data.manifests == str(tmp_path / corpus / "manifests")
    assert (config.data.train, config.data.test) == (["train"], ["test"])
    assert config.exp_dir == f"exp/{corpus}"
    assert config.num_updates == {"demo": 600, "demo_hard": 1800}[corpus]
    assert config.tokenizer.vocab_size == {"demo": 70, "demo_hard": 128}[corpus]


def test_every_part_has_a_checksum_and_a_use(tmp_path, monkeypatch):
    asked = {}

    def note(url, to, *, md5):
        asked[url.removeprefix(prepare.OPENSLR)] = md5

    monkeypatch.setattr(prepare, "download_archive", note)
    for name in ("mini", "100", "960"):
        prepare.RECIPE.corpora[name].fetch(tmp_path, None)
    assert asked.keys() == {
        f"/{resource}/{part}.tar.gz" for part, (resource, _) in prepare.PARTS.items()
    }
    assert all(len(bytes.fromhex(md5)) == 16 for md5 in asked.values())


def test_text_for_language_models_only_when_asked_for(run, tmp_path, monkeypatch):
    def fake_download(url, target, *, md5):
        assert url.endswith("/11/librispeech-lm-norm.txt.gz")
        assert len(bytes.fromhex(md5)) == 16
        target.write_text("")

    monkeypatch.setattr(prepare, "download", fake_download)
    text = tmp_path / "data" / "mine" / "librispeech-lm-norm.txt.gz"
    assert str(text) not in run()
    assert str(text) in run("--lm-text", "--stop-stage", "0")


@pytest.mark.parametrize(
    ("corpus", "train", "test"),
    [
        ("mini", "train-clean-5", "dev-clean-2"),
        ("100", "train-clean-100", "test-clean"),
    ],
)
def test_parts_of_librispeech(corpus, train, test, tmp_path, capsys):
    cut = dummy_cut(0, duration=10.0, supervisions=[dummy_supervision(0)])
    folder = tmp_path / corpus / "manifests"
    write_manifests({train: CutSet.from_cuts([cut])}, {}, folder)
    options = ["--corpus", corpus, "--data-dir", str(tmp_path), "--settings"]
    assert prepare.main(options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "experiment=tiny"
    assert f"data.train=[{train}]" in lines
    assert lines[4].startswith(f"data.test=[{test}")
    assert lines[-1] == f"exp_dir=exp/{corpus}"


def test_a_list_is_read_again_when_what_it_left_out_is_mended(run, corpus):
    """What a list names is not looked at again as long as it is good."""
    for part in ("train", "dev", "test"):
        (corpus / part).rename(corpus / f"{part}_audio")
        rows = [f"{part}_audio/1/2/1-2-0000.flac,A", f"{part}_more.flac,B"]
        (corpus / f"{part}.csv").write_text("\n".join(["path,sentence", *rows]))
        for path in (corpus / f"{part}_audio").rglob("*.trans.txt"):
            path.unlink()
    assert "1 left out (1: no such file)" in run()
    assert "already done" in run()
    soundfile.write(corpus / "dev_more.flac", np.full(1600, 0.1), 16000)
    out = run()
    assert "dev: 2 utterances" in out
    assert "train: 1 utterances" in out
    assert "already done" in run()
    (corpus / "train.csv").write_text("path,sentence\ndev_more.flac,NEW\n")
    assert "already done" not in run()
