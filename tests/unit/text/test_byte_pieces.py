"""Bytes as pieces, against sentencepiece and Python's UTF-8."""

import random

import pytest
import sentencepiece

from asrkit.runtime.transcript import join
from asrkit.text.bpe import BpeTokenizerConfig
from asrkit.text.byte_pieces import begun_by, join_pieces
from asrkit.text.load import tokenizer_from_files
from asrkit.text.tokenizer import UNK_ID
from asrkit.utils.errors import InputError

TEXTS = ["我 爱 PYTHON 你 好", "HELLO WORLD 今天"]
FIRST_BYTE = 3


@pytest.fixture(scope="module")
def tokenizer():
    return BpeTokenizerConfig(vocab_size=300, byte_fallback=True).train(TEXTS)


def bytes_of(text):
    return [f"<0x{byte:02X}>" for byte in text.encode()]


def test_nothing_is_unknown(tokenizer):
    text = "HELLO 您 WÖRLD 🙂 क् ▅ \0 x"
    ids = tokenizer.encode(text)
    assert UNK_ID not in ids
    assert tokenizer.missing(text) == []
    assert tokenizer.decode(ids) == text
    assert tokenizer_from_files(tokenizer.files()).encode(text) == ids
    assert tokenizer.encode("您")[1:] == [FIRST_BYTE + byte for byte in "您".encode()]


def test_any_bytes_decode_as_sentencepiece_does(tokenizer):
    draw = random.Random(0)
    model = sentencepiece.SentencePieceProcessor(
        model_proto=tokenizer.files()["bpe.model"]
    )
    lead = [FIRST_BYTE + byte for byte in [*"今é🙂".encode(), 0x20, 0xC0, 0xED, 0xF5]]
    for _ in range(2000):
        ids = [
            draw.choice(lead) if draw.random() < 0.7 else draw.randrange(2, 300)
            for _ in range(draw.randint(1, 9))
        ]
        expected = " ".join(model.decode(ids).split())
        assert tokenizer.decode(ids) == expected
        pieces = [tokenizer.tokens[i] for i in ids]
        if UNK_ID not in ids:
            assert join(pieces) == expected
        begun = list(begun_by(pieces))
        assert len(begun) == len(pieces)
        assert "".join(begun) == join_pieces(pieces)
        words = [
            tokenizer.decode([ids[i] for i in span])
            for span in tokenizer.word_spans(ids)
        ]
        assert "".join(words) == "".join(expected.split())
        assert sum(map(len, tokenizer.word_spans(ids))) == len(ids)


def test_what_begins_at_a_byte():
    pieces = ["▁A", *bytes_of("今é"), "<0xE4>", "B", "<0xBB>"]
    assert list(begun_by(pieces)) == [
        "▁A",
        "今",
        "",
        "",
        "é",
        "",
        "\ufffd",
        "B",
        "\ufffd",
    ]
    assert join_pieces(pieces) == "▁A今é\ufffdB\ufffd"
    assert join_pieces(["<0xe4>", "<0x4>", "<0xE4>x"]) == "<0xe4><0x4><0xE4>x"


def test_han_of_bytes_and_of_pieces_are_words(tokenizer):
    pieces = ["▁HELLO", *bytes_of("您"), *bytes_of("é"), "▁", "爱", "▁WORLD", "<0x20>"]
    pieces += bytes_of("今\u3099")
    ids = [tokenizer.tokens.index(piece) for piece in pieces]
    words = [
        tokenizer.decode([ids[i] for i in span]) for span in tokenizer.word_spans(ids)
    ]
    # A blank alone is no word.
    assert words == ["HELLO", "您", "é", "爱", "WORLD", "", "今\u3099"]


def test_hotwords_have_the_table_that_sentencepiece_writes(tmp_path, tokenizer):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_prefix=str(tmp_path / "bpe"),
        model_type="bpe", vocab_size=300, byte_fallback=True, character_coverage=1.0,
        control_symbols=["<blk>", "<sos/eos>"], unk_id=2, bos_id=-1, eos_id=-1,
        normalization_rule_name="identity", hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    table = tokenizer.hotword_files()["bpe.vocab"].decode().splitlines()
    theirs = (tmp_path / "bpe.vocab").read_text().splitlines()
    assert table[FIRST_BYTE : FIRST_BYTE + 256] == [
        f"<0x{byte:02X}>\t0" for byte in range(256)
    ]
    # A score of minus nothing is written with and without its sign.
    assert [line.replace("-0", "0") for line in table] == [
        line.replace("-0", "0") for line in theirs
    ]


def test_rare_characters_are_bytes_or_unknown():
    texts = ["HELLO WORLD"] * 50 + ["龘"]
    config = BpeTokenizerConfig(vocab_size=300, character_coverage=0.99)
    unknown = config.train(texts)
    assert unknown.missing("HELLO 龘") == ["龘"]
    assert config.name == "lang_bpe_300_coverage_0.99"
    spelled = BpeTokenizerConfig(
        vocab_size=300, character_coverage=0.99, byte_fallback=True
    )
    tokenizer = spelled.train(texts)
    assert "龘" not in tokenizer.tokens
    assert tokenizer.decode(tokenizer.encode("龘 HELLO")) == "龘 HELLO"
    assert spelled.name == "lang_bpe_300_bytes_coverage_0.99"


def test_bytes_need_room():
    with pytest.raises(ValueError, match=r"tokenizer\.vocab_size must be above 259"):
        BpeTokenizerConfig(vocab_size=128, byte_fallback=True)
    with pytest.raises(InputError, match=r"tokenizer\.vocab_size=262"):
        BpeTokenizerConfig(vocab_size=262, byte_fallback=True).train(TEXTS)
