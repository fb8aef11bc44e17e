"""ARPA files."""

import gzip
import math

import numpy as np
import pytest

from asrkit.text.ngram.arpa import read_arpa, read_word_arpa, write_arpa
from asrkit.text.ngram.ngram_table import NgramTable, find_rows
from asrkit.utils.errors import InputError

TOKENS = ["<blk>", "<sos/eos>", "<unk>", "▁A", "B", "C"]
# Neither sorted nor with all weights; words and numbers are apart by blanks and tabs.
TEXT = """made by hand
\\data\\
ngram 1=6
ngram  2 = 3
ngram 3=2

\\1-grams:
-0.7\tB\t-0.2
-1 </s>
-99\t<s>\t-0.5
-0.4\t▁A\t0.1
-2 <unk> 0
-0.9\tC

\\2-grams:
-0.3\tB </s>
-0.25\t▁A B\t-0.1
-0.2\t<s> ▁A\t-0.3

\\3-grams:
-0.1\t▁A B B
-0.15\t<s> ▁A B

\\end\\
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lm.arpa"


def test_reading(path):
    path.write_text(TEXT, encoding="utf-8")
    table = read_arpa(path, TOKENS)
    assert [rows.tolist() for rows in table.ngrams] == [
        [[0], [2], [3], [4], [5]],
        [[0, 3], [3, 4], [4, 0]],
        [[0, 3, 4], [3, 4, 4]],
    ]
    log10 = [[-1, -2, -0.4, -0.7, -0.9], [-0.2, -0.25, -0.3], [-0.15, -0.1]]
    for found, expected in zip(table.log_probs, log10, strict=True):
        np.testing.assert_allclose(found, np.array(expected) * math.log(10))
    weights = [[-0.5, 0, 0.1, -0.2, 0], [-0.3, -0.1, 0]]
    for found, expected in zip(table.backoffs, weights, strict=True):
        np.testing.assert_allclose(found, np.array(expected) * math.log(10))


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
def test_what_is_written_is_read(tmp_path, path, name):
    path.write_text(TEXT, encoding="utf-8")
    table = read_arpa(path, TOKENS)
    write_arpa(tmp_path / "out" / name, table, TOKENS)
    again = read_arpa(tmp_path / "out" / name, TOKENS)
    for column in ("ngrams", "log_probs", "backoffs"):
        pairs = zip(getattr(table, column), getattr(again, column), strict=True)
        for first, second in pairs:
            np.testing.assert_allclose(second, first, rtol=1e-7)


def test_written_text(path, monkeypatch):
    table = NgramTable(
        ngrams=[np.array([[0], [2], [4]]), np.array([[0, 4], [4, 0]])],
        log_probs=[np.log([0.5, 0.01, 0.1]), np.log([0.2, 0.125])],
        backoffs=[np.log([0.1, 1, 2])],
    )
    write_arpa(path, table, TOKENS)
    assert path.read_text().splitlines() == [
        *["\\data\\", "ngram 1=4", "ngram 2=2", ""],
        *["\\1-grams:", "-99\t<s>\t-1", "-0.30103\t</s>"],
        *["-2\t<unk>\t0", "-1\tB\t0.30103", ""],
        *["\\2-grams:", "-0.69897\t<s> B", "-0.90308999\tB </s>", ""],
        "\\end\\",
    ]
    for hour, copy in enumerate(("a.gz", "b.gz")):
        monkeypatch.setattr("gzip.time.time", lambda hour=hour: 3600.0 * hour)
        write_arpa(path.with_name(copy), table, TOKENS)
    packed = path.with_name("a.gz").read_bytes()
    assert packed == path.with_name("b.gz").read_bytes()
    assert gzip.decompress(packed) == path.read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\\data\\", "data", "ends in line 24 without"),
        ("\\end\\", "", "ends in line 24 without"),
        ("ngram  2 = 3\n", "", "line 4: found 'ngram 3=2', expected order 2"),
        ("ngram 1=6", "ngrams", "line 3: found 'ngrams', expected 'ngram 1=COUNT'"),
        ("2 = 3", "2 = 4", "line 19: 1 2-grams fewer than the counts at the top"),
        (
            "2 = 3",
            "2 = 2",
            r"line 18: found '-0.2\\t<s> ▁A\\t-0.3', expected .*3-grams",
        ),
        ("\\2-grams:", "\\3-grams:", r"line 15: found .*, expected .*2-grams:"),
        ("\\3-grams:\n", "", "line 20: found '-0.1.*', expected .*3-grams:"),
        ("\\end\\", "\\4-grams:", r"line 24: found '.*4-grams:', expected .*end"),
        ("-0.25\t", "", "line 17: could not convert string to float: '▁A'"),
        ("-0.25\t", "x\t", "line 17: could not convert string to float: 'x'"),
        (
            "▁A B\t-0.1",
            "▁A B C -0.1",
            "line 17: expected a number, 2 words and maybe a n",
        ),
        ("▁A B B", "▁A B B\t0\t0", "line 21: expected a number, 3 words and maybe a n"),
        ("▁A B B", "▁A B B\t-1", "line 21: an n-gram of the highest order has a back"),
        ("-0.25\t", "0.25\t", "line 17: no log10 of a probability"),
        ("-0.25\t", "nan\t", "line 17: no log10 of a probability"),
        ("▁A B\t-0.1", "▁A B\tinf", "line 17: no log10 of a back-off weight"),
        ("▁A B B", "▁A <unk> B", "line 21: the n-gram without its last word is not"),
        ("▁A B B", "<s> ▁A B", "line 22: the n-gram comes twice"),
        ("-0.9\tC", "-0.9\tB", "line 13: the n-gram comes twice"),
        ("▁A B B", "▁A B X", "line 21: 'X' is not among the 1-grams"),
        ("▁A B B", "▁A </s> B", "line 21: '</s>' is not among .*</s> not last"),
        (
            "▁A B B",
            "▁A B <s>",
            "line 21: '<s>' is not among .*<s> does not stand first",
        ),
        ("-1 </s>", "-1 <sos/eos>", "line 13: </s> is not among the 1-grams"),
        ("-99\t<s>", "-99\t<sos/eos>", "line 13: <s> is not among the 1-grams"),
    ],
)
def test_malformed_file(path, old, new, message):
    assert old in TEXT
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_arpa(path, TOKENS)
    assert str(caught.value).startswith(str(path))


def test_model_of_another_tokenizer(path):
    path.write_text(TEXT, encoding="utf-8")
    message = r"of another tokenizer: 2 of its 6 words .* such as \['B', 'C'\]; train"
    with pytest.raises(InputError, match=message):
        read_arpa(path, [*TOKENS[:4], "b", "c"])


def test_pieces_that_the_model_lacks_are_counted(path, caplog):
    path.write_text(TEXT, encoding="utf-8")
    read_arpa(path, TOKENS)
    assert caplog.messages == []
    read_arpa(path, [*TOKENS, "D", "E"])
    assert caplog.messages == [
        f"{path} lacks 2 of 8 pieces, such as ['D', 'E']; they get the probability of "
        "<unk>"
    ]


WORDS = ["<blk>", "<sos/eos>", "<unk>", "B", "▁A", "Z"]


@pytest.mark.parametrize("unk", ["<unk>", "<UNK>"])
def test_words_that_are_not_in_the_list_are_left_out(path, caplog, unk):
    caplog.set_level("INFO")
    lines = TEXT.replace("-0.9\tC", "-0.9\tC\t-1").replace("<unk>", unk)
    lines = lines.replace("2 = 3", "2 = 5").replace("3=2", "3=3")
    lines = lines.replace("-0.3\tB </s>", f"-0.3\tB </s>\n-0.4\tC B\n-1\tB {unk}")
    path.write_text(lines.replace("<s> ▁A B", "<s> ▁A B\n-0.2\tC B B"))
    table = read_word_arpa(path, WORDS)
    assert [rows.tolist() for rows in table.ngrams] == [
        [[0], [2], [3], [4]],
        [[0, 4], [3, 0], [3, 2], [4, 3]],
        [[0, 4, 3], [4, 3, 3]],
    ]
    log10 = [[-1, -2, -0.7, -0.4], [-0.2, -0.3, -1, -0.25], [-0.15, -0.1]]
    for found, expected in zip(table.log_probs, log10, strict=True):
        np.testing.assert_allclose(found, np.array(expected) * math.log(10))
    weights = [[-0.5, 0, -0.2, 0.1], [-0.3, 0, 0, -0.1]]
    for found, expected in zip(table.backoffs, weights, strict=True):
        np.testing.assert_allclose(found, np.array(expected) * math.log(10))
    left_out, lacking = caplog.messages
    assert left_out.startswith(f"{path}: 1 of its 6 words are not in the lexicon")
    assert "lacks 1 of the lexicon's 3 words, such as ['Z']; they get" in lacking


def test_malformed_words_are_named_by_their_line(path):
    path.write_text(TEXT.replace("▁A B B", "▁A B C").replace("<s> ▁A B", "▁A ▁A B"))
    with pytest.raises(InputError, match="line 22: the n-gram without its last word"):
        read_word_arpa(path, WORDS)
    path.write_text(TEXT.replace("▁A B B", "▁A B X"))
    with pytest.raises(InputError, match="line 21: 'X' is not among the 1-grams"):
        read_word_arpa(path, WORDS)


def test_model_over_other_words(path):
    path.write_text(TEXT)
    message = r"over other words: .*\['B', '▁A', 'C'\], and none of .*\['b', 'c'\]"
    with pytest.raises(InputError, match=message):
        read_word_arpa(path, [*WORDS[:3], "b", "c"])


def test_file_that_cannot_be_read(path):
    with pytest.raises(InputError, match=f"cannot read {path}: No such file"):
        read_arpa(path, TOKENS)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=f"{path} is not UTF-8 text"):
        read_arpa(path, TOKENS)
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(TEXT.encode())[:-20])
    with pytest.raises(InputError, match=f"{packed} is damaged"):
        read_arpa(packed, TOKENS)
    packed.write_text(TEXT, encoding="utf-8")
    with pytest.raises(InputError, match=f"cannot read {packed}"):
        read_arpa(packed, TOKENS)


def test_rows_without_a_known_start_are_not_found():
    nothing = np.array([], dtype=np.int64)
    V = 6
    rows = np.array([[3, 4, last] for last in range(V)])
    for keys in (
        [np.array([3]), nothing, nothing],
        [np.array([4]), *[np.arange(36)] * 2],
    ):
        assert find_rows(keys, rows, V).tolist() == [-1] * V
