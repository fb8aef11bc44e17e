"""The list of what cannot be read, and when it stops a run."""

import pytest

from asrkit.data.left_out import LeftOut, LeftOutList, read_left_out, write_left_out
from asrkit.utils.errors import InputError


def row(id):
    return LeftOut(str(id), f"/disk/{id}.flac", "no such file")


def test_an_utterance_is_listed_once_and_counted_each_time(tmp_path, caplog):
    left_out = LeftOutList(tmp_path / "list.tsv")
    for _ in range(3):
        left_out.note([row(2)], 10)
    left_out.note([row(1)], 10)
    assert (left_out.tried, left_out.failed) == (40, 4)
    lines = (tmp_path / "list.tsv").read_text().splitlines()
    assert lines == [
        "id\tpath\treason",
        "1\t/disk/1.flac\tno such file",
        "2\t/disk/2.flac\tno such file",
    ]
    assert caplog.text.count("left out: 2 (/disk/2.flac): no such file") == 1


def test_a_later_start_goes_on_with_the_list(tmp_path):
    LeftOutList(tmp_path / "list.tsv").note([row(1)], 10)
    left_out = LeftOutList(tmp_path / "list.tsv")
    left_out.note([row(2)], 10)
    assert read_left_out(tmp_path / "list.tsv") == [row(1), row(2)]
    assert (left_out.tried, left_out.failed) == (10, 1)


def test_without_faults_there_is_no_file(tmp_path):
    LeftOutList(tmp_path / "list.tsv").note([], 10)
    assert not list(tmp_path.iterdir())


def test_more_than_the_share_stops_the_run(tmp_path):
    left_out = LeftOutList(tmp_path / "list.tsv", max_share=0.1)
    left_out.note([row(i) for i in range(20)], 200)
    with pytest.raises(InputError, match=r"21 of 201 .*list\.tsv.*max_left_out=0\.1"):
        left_out.note([row(20)], 1)
    assert len(read_left_out(tmp_path / "list.tsv")) == 21


def test_a_few_files_stop_no_small_corpus():
    left_out = LeftOutList(max_share=0.01)
    for _ in range(50):
        left_out.note([row(i) for i in range(5)], 12)
    assert left_out.failed == 250


def test_a_small_corpus_that_is_gone_stops_the_run():
    left_out = LeftOutList(max_share=0.01)
    left_out.note([], 12)
    left_out.note([row(i) for i in range(6)], 6)
    with pytest.raises(InputError, match="12 of 23"):
        left_out.note([row(i) for i in range(6)], 5)


def test_what_would_break_the_table_is_taken_out(tmp_path):
    path = tmp_path / "list.tsv"
    write_left_out(path, [LeftOut("a", "b\tc", "two\nlines")])
    assert read_left_out(path) == [LeftOut("a", "b c", "two lines")]
    path.write_text("something else\n")
    with pytest.raises(InputError, match="delete it"):
        read_left_out(path)
    write_left_out(path, [])
    assert not path.exists()
