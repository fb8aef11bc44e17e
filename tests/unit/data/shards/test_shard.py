"""Sets of shards: written, broken off, read from disk and over HTTP, refused."""

import gzip
import json

import numpy as np
import pytest
import soundfile
from lhotse import CutSet, Recording, SupervisionSegment
from lhotse.shar import SharWriter

from asrkit.cli.data.shard import main
from asrkit.data.corpora.manifests import write_manifests
from asrkit.data.shards import storage
from asrkit.data.shards import writer as shard_writer
from asrkit.data.shards.shard import Field, list_shards, open_shards
from asrkit.data.shards.storage import read_range
from asrkit.data.shards.writer import index_shards, write_shards
from asrkit.utils.errors import InputError
from tests.web import Files, serve

COUNT = 23


@pytest.fixture
def cuts(tmp_path):
    made = []
    for index in range(COUNT):
        samples = 0.1 * np.random.default_rng(index).standard_normal(4000 + 160 * index)
        path = tmp_path / f"u{index}.flac"
        soundfile.write(path, samples, 16000)
        cut = Recording.from_file(path, recording_id=f"r{index}").to_cut()
        # Half of them begin inside their recording.
        cut = cut.truncate(offset=0.05 * (index % 2))
        cut.id = f"u{index}"
        cut.supervisions = [
            SupervisionSegment(
                cut.id, f"r{index}", 0.0, cut.duration, text=f"T {index}"
            )
        ]
        made.append(cut)
    return CutSet.from_cuts(made)


def write(cuts, folder, **options):
    options = {"field": Field.RECORDING, "shard_size": 5, "jobs": 2, **options}
    folder.mkdir(parents=True, exist_ok=True)
    write_shards(cuts, folder, **options)


@pytest.fixture
def folder(cuts, tmp_path):
    write(cuts, tmp_path / "shards" / "train")
    return tmp_path / "shards" / "train"


def check(found, cuts):
    """Compare cuts of shards with the plain ones."""
    found = {cut.id: cut for cut in found}
    assert found.keys() == {cut.id for cut in cuts}
    for cut in cuts:
        one = found[cut.id]
        assert one.supervisions[0].text == cut.supervisions[0].text
        np.testing.assert_array_equal(one.load_audio(), cut.load_audio())
        if cut.start == 0:  # the others' first samples depend on what comes before
            faster = one.perturb_speed(1.1).load_audio()
            np.testing.assert_array_equal(faster, cut.perturb_speed(1.1).load_audio())


def test_what_is_written_is_read(folder, cuts):
    check(open_shards(str(folder)), cuts)
    assert len(list_shards(str(folder))) == 5
    # Neighbours in the corpus are not neighbours in a shard.
    ids = [cut.id for cut in open_shards(str(folder))]
    assert ids != sorted(ids)


# Lhotse leaves the tar files open.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_lhotse_reads_the_files_too(folder, cuts):
    fields = {
        "cuts": sorted(map(str, folder.glob("cuts.*"))),
        "recording": sorted(map(str, folder.glob("recording.*"))),
    }
    check(CutSet.from_shar(fields=fields), cuts)


def test_what_lhotse_has_written_is_read_once_indexed(cuts, tmp_path):
    out = tmp_path / "shar"
    out.mkdir()
    with SharWriter(str(out), fields={"recording": "wav"}, shard_size=7) as writer:
        for cut in cuts:
            writer.write(cut)
    with pytest.raises(InputError, match=r"no finished set of shards in .*shar"):
        open_shards(str(out))
    assert index_shards(out) == 4
    check(open_shards(str(out)), cuts)


def test_a_run_that_was_broken_off_goes_on(cuts, tmp_path, monkeypatch):
    out = tmp_path / "out"
    whole, written = shard_writer._write_cut, []

    def fail(writer, cut, field):
        if len(written) == 12:
            raise KeyboardInterrupt
        written.append(cut.id)
        whole(writer, cut, field)

    monkeypatch.setattr(shard_writer, "_write_cut", fail)
    with pytest.raises(KeyboardInterrupt):
        write(cuts, out, jobs=1)
    with pytest.raises(InputError, match="no finished set"):
        open_shards(str(out))
    done = {path: path.stat().st_mtime_ns for path in out.glob("index.*")}
    assert len(done) == 2
    (out / f"{shard_writer._TEMPORARY}left").mkdir()
    monkeypatch.setattr(shard_writer, "_write_cut", whole)
    write(cuts, out, jobs=1)
    check(open_shards(str(out)), cuts)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    names = {path.name.split(".")[0] for path in out.iterdir()}
    assert names == {"cuts", "recording", "index", "shards"}


def test_other_shards_are_not_written_over(folder, cuts):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    write(cuts, folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    with pytest.raises(InputError, match="holds other shards"):
        write(cuts, folder, shard_size=6)
    with pytest.raises(InputError, match="holds other shards"):
        write(cuts.subset(first=9), folder)


def test_audio_that_cannot_be_read_is_named(cuts, tmp_path):
    (tmp_path / "u7.flac").unlink()
    with pytest.raises(InputError, match=r"u7: its recording cannot be read"):
        write(cuts, tmp_path / "out")


def test_cuts_and_index_that_do_not_fit_are_named(folder):
    with gzip.open(folder / "cuts.000001.jsonl.gz", "rb") as file:
        lines = file.read().splitlines()
    with gzip.open(folder / "cuts.000001.jsonl.gz", "wb") as file:
        file.write(b"\n".join(lines[:-1]))
    with pytest.raises(InputError, match=r"cuts.000001.jsonl.gz has 4 cuts, .* 5"):
        list(open_shards(str(folder)))
    (folder / "index.000001.jsonl").write_text("[1, 2\n")
    with pytest.raises(InputError, match=r"index.000001.jsonl cannot be read"):
        list(open_shards(str(folder)))


def test_a_command_in_a_manifest_is_never_run(folder, cuts, tmp_path):
    path = folder / "cuts.000000.jsonl.gz"
    with gzip.open(path, "rb") as file:
        rows = [json.loads(line) for line in file]
    source = {"type": "command", "channels": [0], "source": f"touch {tmp_path}/run"}
    for row in rows:
        row["recording"]["sources"] = [source]
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    check(open_shards(str(folder)), cuts)
    assert not (tmp_path / "run").exists()


def test_the_command_writes_sets(cuts, tmp_path):
    write_manifests({"train": cuts}, {}, tmp_path)
    out = tmp_path / "out"
    arguments = ["--manifests", tmp_path, "--sets", "train", "--out-dir", out]
    assert main([*map(str, arguments), "--shard-size", "10", "--jobs", "1"]) == 0
    check(open_shards(str(out / "train")), cuts)
    listed = json.loads((out / "train" / "shards.json").read_text())["shards"]
    assert [row["utterances"] for row in listed] == [10, 10, 3]
    hours = sum(cut.duration for cut in cuts)
    assert sum(row["seconds"] for row in listed) == pytest.approx(hours, abs=0.01)


class Server(Files):
    """Can be told not to answer, or not in parts."""

    ranges, failures, asked = True, 0, []

    def do_GET(self):  # noqa: N802 - as http.server calls it
        Server.asked.append(self.path)
        if Server.failures:
            Server.failures -= 1
            self.send_error(503)
            return
        if not Server.ranges:
            del self.headers["Range"]
        super().do_GET()


@pytest.fixture
def url(folder, monkeypatch):
    monkeypatch.setattr(storage, "_WAITS", (0.0, 0.0))
    for name, value in [("ranges", True), ("failures", 0), ("asked", [])]:
        setattr(Server, name, value)

    with serve(Server, folder.parent) as host:
        yield f"http://{host}/train"
    storage._pool.cache_clear()


def test_shards_are_read_over_http(url, cuts):
    found = list(open_shards(url))
    assert not any(path.endswith(".tar") for path in Server.asked)
    check(found, cuts)


def test_a_server_that_fails_is_asked_again(url, cuts):
    Server.failures = 2
    assert len(list(open_shards(url))) == COUNT
    Server.failures = 3
    with pytest.raises(InputError, match=r"train/shards.json cannot be read: status"):
        open_shards(url)


def test_what_is_missing_on_a_server_is_named(url):
    with pytest.raises(InputError, match=r"no file http.*/train-9/shards.json"):
        open_shards(url + "-9")


def test_a_server_without_ranges_is_named(url):
    Server.ranges = False
    cut = next(iter(open_shards(url)))
    with pytest.raises(OSError, match="does not answer requests for a range"):
        cut.load_audio()


def test_other_urls_go_through_fsspec(folder, cuts):
    check(open_shards(f"file://{folder}"), cuts)
    with pytest.raises(InputError, match="nosuch"):
        open_shards("nosuch://bucket/train")


def test_a_file_that_ends_early_is_named(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"0123456789")
    assert read_range(str(tmp_path / "a.tar"), 3, 4) == b"3456"
    with pytest.raises(OSError, match=r"a.tar ends 2 bytes before it should"):
        read_range(str(tmp_path / "a.tar"), 8, 4)
