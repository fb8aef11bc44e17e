"""Downloads from a local server that breaks off, refuses and lies."""

import hashlib
import io
import logging
import tarfile

import pytest

from asrkit.data.corpora import download as module
from asrkit.data.corpora.download import (
    download,
    download_archive,
    extract,
)
from asrkit.utils.errors import InputError
from tests.unit.data.corpora.server import CONTENT, MD5, serving


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0)
    with serving() as server:
        yield server


def ranges(server):
    return [wanted for _, wanted in server.asked]


def test_download(server, tmp_path):
    target = tmp_path / "new" / "a.bin"
    download(f"{server.url}/a.bin", target, md5=MD5)
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["a.bin"]
    download(f"{server.url}/a.bin", target, md5=MD5)
    assert len(server.asked) == 1


def test_broken_connection_is_resumed(server, tmp_path):
    server.break_after = [300_000, 0, 200_000]
    download(server.url, tmp_path / "a.bin", md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert ranges(server) == [f"bytes={n}-" for n in (0, 300_000, 300_000, 500_000)]


def test_part_of_an_earlier_run_is_resumed(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    download(server.url, tmp_path / "a.bin", md5=MD5)
    assert ranges(server) == ["bytes=1000-"]


def test_complete_part_of_an_earlier_run(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    download(server.url, tmp_path / "a.bin", md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_server_without_ranges_restarts(server, tmp_path):
    server.ranges = False
    server.break_after = [300_000]
    download(server.url, tmp_path / "a.bin", md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_wrong_checksum(server, tmp_path):
    with pytest.raises(InputError, match=f"MD5 {MD5}, expected 0123.*deleted"):
        download(server.url, tmp_path / "a.bin", md5="0123")
    assert list(tmp_path.iterdir()) == []


def test_gives_up_after_three_retries_and_keeps_the_part(server, tmp_path):
    server.break_after = [1000, 0, 0, 0]
    with pytest.raises(InputError, match="goes on where this one stopped"):
        download(server.url, tmp_path / "a.bin", md5=MD5)
    assert len(server.asked) == 4
    assert (tmp_path / "a.bin.part").read_bytes() == CONTENT[:1000]


def test_connection_that_breaks_but_gets_on_is_not_given_up(server, tmp_path):
    server.break_after = [100_000] * 9
    download(server.url, tmp_path / "a.bin", md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_missing_file_is_not_tried_again(server, tmp_path):
    server.statuses = [404]
    with pytest.raises(InputError, match="404"):
        download(server.url, tmp_path / "a.bin", md5=MD5)
    assert len(server.asked) == 1


def test_busy_server_is_tried_again(server, tmp_path):
    server.statuses = [503, 503]
    download(server.url, tmp_path / "a.bin", md5=MD5)
    assert len(server.asked) == 3


def test_full_disk_is_not_taken_for_a_broken_connection(server, tmp_path):
    (tmp_path / "a.bin.part").symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"cannot write .*No space left"):
        download(server.url, tmp_path / "a.bin", md5=MD5)
    assert len(server.asked) == 1


def archive(path, members):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_extract_once(tmp_path):
    path = archive(tmp_path / "a.tar.gz", {"x/y.txt": b"hello"})
    extract(path, tmp_path / "out")
    file = tmp_path / "out" / "x" / "y.txt"
    assert file.read_bytes() == b"hello"
    file.unlink()
    extract(path, tmp_path / "out")
    assert not file.exists()


@pytest.mark.parametrize("name", ["../evil.txt", "x/../../evil.txt", "{}/evil.txt"])
def test_members_cannot_escape(tmp_path, name):
    name = name.format(tmp_path)
    path = archive(tmp_path / "a.tar.gz", {name: b"evil"})
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=f"member '{name}' lies outside the folder"):
        extract(path, tmp_path / "out")
    assert not (tmp_path / "evil.txt").exists()
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "target", "fault"),
    [
        (tarfile.SYMTYPE, "/etc", "is a link to '/etc'"),
        (tarfile.SYMTYPE, "../..", "is a link to '../..'"),
        (tarfile.SYMTYPE, "inside", "is a link to 'inside'"),
        (tarfile.LNKTYPE, "/etc/passwd", "is a link to '/etc/passwd'"),
        (tarfile.FIFOTYPE, "", "is neither a file nor a folder"),
        (tarfile.CHRTYPE, "", "is neither a file nor a folder"),
    ],
)
def test_links_and_devices_are_refused(tmp_path, kind, target, fault):
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("x/it")
        member.type, member.linkname = kind, target
        tar.addfile(member)
        info = tarfile.TarInfo("x/it/evil.txt")  # through the link
        tar.addfile(info)
    with pytest.raises(InputError, match=f"member 'x/it' {fault}"):
        extract(path, tmp_path / "out")
    assert not list(tmp_path.rglob("evil.txt"))
    assert not (tmp_path / "out" / "x" / "it").exists()
    with pytest.raises(InputError):  # it is not taken for unpacked
        extract(path, tmp_path / "out")


@pytest.mark.parametrize("keep", [0.5, 0.0])
def test_damaged_archive_is_not_marked_as_done(tmp_path, keep):
    path = archive(tmp_path / "a.tar.gz", {"x": bytes(range(256)) * 100})
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    for _ in range(2):
        with pytest.raises(InputError, match=r"cannot unpack .*a\.tar\.gz"):
            extract(path, tmp_path / "out")


def test_archives(server, tmp_path):
    digests = {}
    for part in ("dev", "train"):
        path = archive(tmp_path / "x.tar.gz", {f"corpus/{part}/a.txt": b"A\n"})
        server.files[f"/1/{part}.tar.gz"] = content = path.read_bytes()
        digests[part] = hashlib.md5(content).hexdigest()

    def fetch():
        for part, md5 in digests.items():
            url = f"{server.url}/1/{part}.tar.gz"
            download_archive(url, tmp_path / "to", md5=md5)

    fetch()
    folder = tmp_path / "to" / "corpus"
    assert sorted(p.name for p in folder.iterdir()) == ["dev", "train"]
    # What is unpacked is not asked for again, even when its archive is deleted.
    (tmp_path / "to" / "dev.tar.gz").unlink()
    fetch()
    assert len(server.asked) == 2


def test_log_lines(server, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("asrkit.data.progress._SECONDS_BETWEEN_LINES", 0)
    monkeypatch.setattr(module, "_CHUNK", len(CONTENT) // 40)
    with caplog.at_level(logging.INFO):
        download(server.url, tmp_path / "a.bin", md5=MD5)
    lines = [message for message in caplog.messages if message.startswith("a.bin: ")]
    assert len(lines) == 10
    assert lines[-1] == "a.bin: 1 of 1 MB, 0 s left"


def test_a_file_without_checksum(server, tmp_path):
    server.files["/lexicon.txt"] = b"A\tAH0\nA\tEY1\n"
    target = tmp_path / "lexicon.txt"
    for _ in range(2):
        download(f"{server.url}/lexicon.txt", target, md5=None)
        assert target.read_bytes() == b"A\tAH0\nA\tEY1\n"
    assert len(server.asked) == 1
