import random

import pytest

from asrkit.text.bpe import BpeTokenizer, BpeTokenizerConfig
from asrkit.text.char import CharTokenizer, CharTokenizerConfig
from asrkit.text.load import load_tokenizer, tokenizer_from_files
from asrkit.text.phone import PhoneTokenizer, PhoneTokenizerConfig
from asrkit.utils.errors import InputError

TEXTS = ["THE SEA", "A SHIP AT SEA", "THE SHIP"]
LEXICON = "THE DH AH\nSEA S IY\nA AH\nSHIP SH IH P\nAT AE T\n"


def make_config(kind, tmp_path):
    (tmp_path / "words.txt").write_text(LEXICON)
    return {
        BpeTokenizer: BpeTokenizerConfig(vocab_size=20),
        CharTokenizer: CharTokenizerConfig(),
        PhoneTokenizer: PhoneTokenizerConfig(lexicon=str(tmp_path / "words.txt")),
    }[kind]


@pytest.mark.parametrize("kind", [BpeTokenizer, CharTokenizer, PhoneTokenizer])
def test_saved_tokenizer_comes_back_the_same(kind, tmp_path):
    config = make_config(kind, tmp_path)
    tokenizer = config.train(TEXTS)
    folder = tmp_path / config.name
    tokenizer.save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == (
        tokenizer.files()
    )
    for copy in (load_tokenizer(folder), tokenizer_from_files(tokenizer.files())):
        assert type(copy) is kind
        assert copy.tokens == tokenizer.tokens
        for text in [*TEXTS, "A SEA SHÜP"]:
            assert copy.encode(text) == tokenizer.encode(text)
            assert copy.missing(text) == tokenizer.missing(text)
            assert copy.decode(copy.encode(text)) == tokenizer.decode(
                tokenizer.encode(text)
            )


@pytest.mark.parametrize("kind", [BpeTokenizer, CharTokenizer, PhoneTokenizer])
def test_unk_and_missing_agree(kind, tmp_path):
    tokenizer = make_config(kind, tmp_path).train(TEXTS)
    for text in ["", "THE SEA", "SEA SEA", "ZOO", "THE SEA ZOO É", "<unk>"]:
        assert (2 in tokenizer.encode(text)) == bool(tokenizer.missing(text))
        assert not {0, 1} & set(tokenizer.encode(text))


@pytest.mark.parametrize("kind", [BpeTokenizer, CharTokenizer, PhoneTokenizer])
def test_any_labels_give_the_words_of_their_text(kind, tmp_path):
    tokenizer = make_config(kind, tmp_path).train(TEXTS)
    rng = random.Random(0)
    for length in range(30):
        ids = rng.choices(range(2, tokenizer.vocab_size), k=length)
        spans = tokenizer.word_spans(ids)
        words = [tokenizer.decode([ids[i] for i in span]) for span in spans]
        assert [word for word in words if word] == tokenizer.decode(ids).split()
        positions = [i for span in spans for i in span]
        assert positions == sorted(set(positions))


def test_folder_without_tokenizer_is_named(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=f"{folder}: no tokenizer"):
            load_tokenizer(folder)


def test_malformed_file_is_named_with_its_folder(tmp_path):
    (tmp_path / "tokens.txt").write_text("<blk> 0\n<sos/eos> 2\n")
    with pytest.raises(InputError, match=f"{tmp_path}: tokens.txt, line 2"):
        load_tokenizer(tmp_path)
