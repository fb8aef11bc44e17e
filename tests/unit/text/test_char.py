import pytest

from asrkit.text.char import CharTokenizerConfig, Spelling
from asrkit.text.load import tokenizer_from_files
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


@pytest.mark.parametrize("text", ["नमस्ते दुनिया", "O'NEIL'S  1 2", "我爱 OK 你", ""])
def test_round_trip(text):
    tokenizer = CharTokenizerConfig().train([text, "X"])
    assert tokenizer.decode(tokenizer.encode(text)) == " ".join(text.split())
    assert tokenizer.missing(text) == []


@pytest.mark.parametrize("spelling", Spelling)
@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("你好 世界", "你好世界"),
        (" 我 爱\u3000PYTHON  WORLD 今 天", "我爱 PYTHON WORLD 今天"),
        ("我PYTHON 你", "我PYTHON 你"),
        ("カ\u3099 ラス は", "カ\u3099ラスは"),
        ("很好、 你", "很好、 你"),
        ("ที่ นี่ 오늘 날씨", "ที่ นี่ 오늘 날씨"),
    ],
)
def test_no_space_stands_between_han_or_kana(text, normal, spelling):
    tokenizer = CharTokenizerConfig(spelling=spelling).train([text])
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == normal
    assert tokenizer.encode(normal) == ids
    assert [tokenizer.tokens[i] for i in ids].count("▁") == normal.count(" ")
    assert ("▁" in tokenizer.tokens) == (" " in normal)


def test_each_han_character_is_a_word_with_its_marks():
    pieces = [*"▁我爱OKカ\u3099ス▁AB今", "<unk>"]
    tokenizer = CharTokenizerConfig().train(pieces[:-1])
    ids = [tokenizer.tokens.index(piece) for piece in pieces]
    words = [
        tokenizer.decode([ids[i] for i in span]) for span in tokenizer.word_spans(ids)
    ]
    assert words == ["我", "爱", "OK", "カ\u3099", "ス", "AB", "今", "<unk>"]


def test_words_of_other_scripts_may_be_tokens():
    config = CharTokenizerConfig(spelling=Spelling.WORDS)
    tokenizer = config.train(["我用PYTHON, IT'S A", "I用3D café नमस्ते"])
    assert tokenizer.tokens[3:] == sorted(
        ["我", "用", "PYTHON", ",", "▁", "IT'S", "A", "I", "3D", "café", "नमस्ते"]
    )
    text = "用PYTHON IT'S नमस्ते"
    ids = tokenizer.encode(text)
    assert [tokenizer.tokens[i] for i in ids] == [
        "用", "PYTHON", "▁", "IT'S", "▁", "नमस्ते",
    ]  # fmt: skip
    assert tokenizer.decode(ids) == text
    words = [ids[i] for span in tokenizer.word_spans(ids) for i in span]
    assert words == [*ids[:2], ids[3], ids[5]]
    # What train does not have is spelled, as far as it can be.
    assert tokenizer.decode(tokenizer.encode("AI")) == "AI"
    assert tokenizer.missing("AX 我") == ["X"]
    assert tokenizer_from_files(tokenizer.files()).encode(text) == ids
    assert config.name == "lang_char_words"
    assert UNK_ID in tokenizer.encode("<unk>")
    assert 0 not in tokenizer.encode("<blk>")


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
