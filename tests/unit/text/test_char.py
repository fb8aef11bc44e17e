import pytest

from asrkit.text.char import CharTokenizerConfig
from asrkit.text.tokenizer import UNK_ID, parse_tokens
from asrkit.utils.errors import InputError


def test_tokens_ids_and_files_by_hand():
    tokenizer = CharTokenizerConfig().train(["BAD", "A CAB"])
    lines = ["<blk> 0", "<sos/eos> 1", "<unk> 2", "A 3", "B 4", "C 5", "D 6", "▁ 7"]
    assert tokenizer.files() == {"tokens.txt": "\n".join([*lines, ""]).encode()}
    assert tokenizer.encode(" A  BAD\tCAB ") == [3, 7, 4, 3, 6, 7, 5, 3, 4]
    assert tokenizer.decode([3, 7, 4, 3, 6, 7, 5, 3, 4]) == "A BAD CAB"


@pytest.mark.parametrize(
    ("pieces", "spans"),
    [
        ("AB▁C", [range(2), range(3, 4)]),
        ("▁▁AB▁▁C▁", [range(2, 4), range(6, 7)]),
        ("▁", []),
        ("", []),
    ],
)
def test_words_are_what_stands_between_spaces(pieces, spans):
    tokenizer = CharTokenizerConfig().train(["AB C"])
    assert tokenizer.word_spans([tokenizer.tokens.index(p) for p in pieces]) == spans


@pytest.mark.parametrize("text", ["你好 世界", "नमस्ते दुनिया", "O'NEIL'S  1 2", ""])
def test_round_trip(text):
    tokenizer = CharTokenizerConfig().train([text, "X"])
    assert tokenizer.decode(tokenizer.encode(text)) == " ".join(text.split())
    assert tokenizer.missing(text) == []


def test_missing_characters_become_unk():
    tokenizer = CharTokenizerConfig().train(["ABC"])
    assert tokenizer.missing("ÜBER ABC") == ["E", "R", "Ü", "▁"]
    ids = tokenizer.encode("ÜB")
    assert ids == [UNK_ID, 4]
    assert tokenizer.decode([0, *ids, 1]) == "<unk>B"


def test_no_text_is_an_error():
    with pytest.raises(InputError, match="every training transcript is empty"):
        CharTokenizerConfig().train([" "])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<blk> 0\n<sos/eos> 1\n<unk> 2\nA 4\n", r"tokens\.txt, line 4: .* id 3"),
        ("<blk> 0\n<sos/eos> 1\n<unk> 2\nA\n", r"tokens\.txt, line 4: found 'A'"),
        ("<blk> 0\n<unk> 1\nA 2\n", "the first pieces are"),
        ("<blk> 0\n<sos/eos> 1\n<unk> 2\nA 3\nA 4\n", "'A' comes more than once"),
    ],
)
def test_malformed_tokens_file(content, message):
    with pytest.raises(InputError, match=message):
        parse_tokens(content.encode())


def test_tokens_file_in_another_encoding():
    with pytest.raises(InputError, match="not UTF-8"):
        parse_tokens("Ü 0\n".encode("latin-1"))
