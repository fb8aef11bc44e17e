import io
import logging
import pickle

import pytest
import sentencepiece

from asrkit.text.bpe import BpeTokenizer, BpeTokenizerConfig
from asrkit.text.tokenizer import BLANK_ID, UNK_ID
from asrkit.utils.errors import InputError

TEXTS = [
    "THE SHIP SAILED OVER THE SEA",
    "THE SHEEP SLEPT BY THE SHORE",
    "SHE SELLS SEA SHELLS ON THE SHORE",
    "OVER THE HILL AND BY THE SEA",
]


def train(vocab_size=40, texts=TEXTS):
    return BpeTokenizerConfig(vocab_size=vocab_size).train(texts)


def test_first_pieces_are_those_of_icefall():
    tokenizer = train()
    lines = tokenizer.files()["tokens.txt"].decode().splitlines()
    assert lines[:3] == ["<blk> 0", "<sos/eos> 1", "<unk> 2"]
    assert len(lines) == tokenizer.vocab_size == 40
    assert lines[39] == f"{tokenizer.tokens[39]} 39"


@pytest.fixture
def icefall_model():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=model,
        model_type="bpe",
        vocab_size=40,
        character_coverage=1.0,
        user_defined_symbols=["<blk>", "<sos/eos>"],
        unk_id=2,
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
    )
    return model.getvalue()


def test_pieces_and_ids_equal_those_of_icefalls_sentencepiece_call(icefall_model):
    reference = sentencepiece.SentencePieceProcessor(model_proto=icefall_model)
    tokenizer = train()
    assert tokenizer.tokens == [reference.id_to_piece(i) for i in range(40)]
    for text in [*TEXTS, "SHELLS SHELTER HORSES"]:
        ids = tokenizer.encode(text)
        assert ids == reference.encode(text)
        assert tokenizer.decode(ids) == reference.decode(ids) == text


def test_hotwords_have_the_table_that_sentencepiece_writes(tmp_path):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_prefix=str(tmp_path / "bpe"),
        model_type="bpe", vocab_size=40, control_symbols=["<blk>", "<sos/eos>"],
        unk_id=2, bos_id=-1, eos_id=-1, minloglevel=2,
    )  # fmt: skip
    tokenizer = BpeTokenizer((tmp_path / "bpe.model").read_bytes())
    written = (tmp_path / "bpe.vocab").read_bytes()
    assert tokenizer.hotword_files() == {"bpe.vocab": written}


def test_training_is_deterministic_and_ignores_odd_spaces():
    first = train()
    again = train(texts=[f"  {text}\n".replace(" ", "  ") for text in TEXTS] + [""])
    assert first.files() == again.files()


def test_training_prints_nothing(capfd):
    train()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("texts", "size"), [(TEXTS, None), (["A"], 6)])
def test_small_corpus_gives_the_pieces_it_has(texts, size, caplog):
    with caplog.at_level(logging.WARNING):
        tokenizer = train(500, texts)
    assert UNK_ID < tokenizer.vocab_size < 500
    assert size in (None, tokenizer.vocab_size)
    assert [record.getMessage() for record in caplog.records] == [
        f"{len(texts)} transcripts give {tokenizer.vocab_size} BPE pieces, "
        "fewer than tokenizer.vocab_size=500"
    ]
    assert [tokenizer.decode(tokenizer.encode(text)) for text in texts] == texts


def test_very_long_transcript_is_not_dropped():
    long_text = "QUICK ZEBRAS JUMP " * 1000
    assert train(60, [*TEXTS, long_text]).missing(long_text) == []


@pytest.mark.parametrize("sign", ["\0", "▅"])
def test_signs_that_sentencepiece_keeps_to_itself_cost_no_letters(sign):
    tokenizer = train(60, [*TEXTS, f"QUICK {sign}ZEBRA"])
    assert tokenizer.missing(f"QUICK {sign}ZEBRA") == [sign]
    ids = tokenizer.encode(f"QUICK {sign}ZEBRA")
    assert tokenizer.decode(ids) == "QUICK <unk>ZEBRA"


def test_too_small_vocabulary_names_the_key():
    with pytest.raises(InputError, match=r"tokenizer\.vocab_size=5, .*required_chars"):
        train(5)


def test_no_text_is_an_error():
    with pytest.raises(InputError, match="every training transcript is empty"):
        train(texts=["", "  "])


def test_missing_characters():
    tokenizer = train()
    text = "THE ZÜRI SHIP ZE\u0301"
    assert tokenizer.missing(text) == ["Z", "Ü", "\u0301"]
    assert UNK_ID in tokenizer.encode(text)
    assert tokenizer.missing("SHELL") == []
    assert tokenizer.decode(tokenizer.encode("SHÜP")) == "SH<unk>P"


def test_spelled_out_blank_never_becomes_blank():
    ids = train(60, [*TEXTS, "A <blk> B"]).encode("SEA <blk> <sos/eos> <unk>")
    assert min(ids) == UNK_ID


def test_decode_drops_blank_and_end(icefall_model):
    tokenizer = BpeTokenizer(icefall_model)
    ids = tokenizer.encode("THE SEA")
    assert tokenizer.decode([BLANK_ID, *ids[:2], BLANK_ID, *ids[2:], 1]) == "THE SEA"


def test_words_begin_at_their_first_piece():
    tokenizer = train()
    pieces = ["▁THE", "▁SH", "<unk>", "P", "▁", "R", "O", "▁SEA"]
    ids = [tokenizer.tokens.index(piece) for piece in pieces]
    assert tokenizer.decode(ids) == "THE SH<unk>P RO SEA"
    words = [range(0, 1), range(1, 4), range(4, 7), range(7, 8)]
    assert tokenizer.word_spans(ids) == words
    # A search may begin in the middle of a word.
    assert tokenizer.word_spans(ids[2:4]) == [range(2)]
    assert tokenizer.word_spans([]) == []


def test_empty_text():
    tokenizer = train()
    assert tokenizer.encode(" ") == []
    assert tokenizer.decode([]) == ""


def test_survives_pickling_for_data_workers():
    tokenizer = train()
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy.encode(TEXTS[0]) == tokenizer.encode(TEXTS[0])


def test_broken_model_names_the_file():
    with pytest.raises(InputError, match=r"bpe\.model is not a sentencepiece model"):
        BpeTokenizer(b"junk")


def test_model_with_other_special_pieces_is_refused():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=model,
        model_type="bpe",
        vocab_size=40,
        minloglevel=2,
    )
    with pytest.raises(InputError, match=r"expected .*<blk>"):
        BpeTokenizer(model.getvalue())


def test_config_name():
    assert BpeTokenizerConfig(vocab_size=70).name == "lang_bpe_70"
