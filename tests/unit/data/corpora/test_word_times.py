"""CTM files of word times."""

from pathlib import Path

import pytest

from asrkit.data.corpora.word_times import (
    TimedWord,
    read_ctm,
    word_times_path,
    write_ctm,
)
from asrkit.utils.errors import InputError

TIMES = {
    "a-1": [TimedWord("ÜBER", 0.0004, 0.4004), TimedWord("US", 0.4004, 0.5004)],
    "a-2": [TimedWord("X", 1.25, 1.75)],
}


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "a.words.ctm"
    write_ctm(TIMES, path)
    assert path.read_text(encoding="utf-8").splitlines() == [
        "a-1 1 0.000 0.400 ÜBER",
        "a-1 1 0.400 0.100 US",
        "a-2 1 1.250 0.500 X",
    ]
    found = read_ctm(path)
    assert list(found) == ["a-1", "a-2"]
    for id, words in TIMES.items():
        assert [word.text for word in found[id]] == [word.text for word in words]
        for one, other in zip(found[id], words, strict=True):
            assert one.start == pytest.approx(other.start, abs=6e-4)
            assert one.end == pytest.approx(other.end, abs=6e-4)


def test_words_that_touch_still_do_when_rounded(tmp_path):
    words = [TimedWord("A", 0.0, 0.0106), TimedWord("B", 0.0106, 0.0212)]
    write_ctm({"u": words}, tmp_path / "a.ctm")
    first, second = read_ctm(tmp_path / "a.ctm")["u"]
    assert first.end == second.start


@pytest.mark.parametrize("line", ["u 1 0.5 A", "u 1 0.5 soon A", "u"])
def test_line_that_makes_no_sense(tmp_path, line):
    path = tmp_path / "a.ctm"
    path.write_text(f"u 1 0.0 0.5 A\n{line}\n")
    with pytest.raises(InputError, match=r"a\.ctm:2: .*START DURATION") as error:
        read_ctm(path)
    assert repr(line) in str(error.value)


def test_file_that_is_not_utf8(tmp_path):
    path = tmp_path / "a.ctm"
    path.write_bytes(b"u 1 0.0 0.5 \xdc\n")
    with pytest.raises(InputError, match=r"a\.ctm cannot be read: .*utf-8"):
        read_ctm(path)


def test_path_is_beside_the_transcript():
    assert word_times_path(Path("1/2/1-2.trans.txt")) == Path("1/2/1-2.words.ctm")
