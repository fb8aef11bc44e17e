"""Words as tokens."""

from asrkit.text.words import WordList


def test_words_are_numbered_behind_the_special_pieces():
    words = WordList(["B", "A", "B", "<unk>"])
    assert words.tokens == ["<blk>", "<sos/eos>", "<unk>", "B", "A"]
    assert words.vocab_size == 5
    assert words.encode(" A  B C <unk>") == [4, 3, 2, 2]
    assert words.missing("C A D C") == ["C", "D"]
