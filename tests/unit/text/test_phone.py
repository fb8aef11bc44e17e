import pytest

from asrkit.text.phone import PhoneTokenizer, PhoneTokenizerConfig
from asrkit.text.tokenizer import UNK_ID
from asrkit.utils.errors import InputError

LEXICON = """\
# a comment

RED R EH D
READ R IY D
READ R EH D
REED\tR IY D
A AH
BREAD B R EH D
"""
PIECES = ["AH#", "B", "D#", "EH", "IY", "R"]


@pytest.fixture
def tokenizer(tmp_path):
    path = tmp_path / "my_lexicon.txt"
    path.write_text(LEXICON)
    return PhoneTokenizerConfig(lexicon=str(path)).train(["A RED BREAD"])


def encode_by_hand(*pieces):
    return [3 + PIECES.index(piece) for piece in pieces]


def test_tokens_are_phones_with_word_ends_apart(tokenizer):
    assert tokenizer.tokens == ["<blk>", "<sos/eos>", "<unk>", *PIECES]


def test_encode_takes_the_first_pronunciation(tokenizer):
    assert tokenizer.encode("A READ  RED") == encode_by_hand(
        "AH#", "R", "IY", "D#", "R", "EH", "D#"
    )


def test_decode_takes_the_first_homophone(tokenizer):
    assert tokenizer.decode(tokenizer.encode("A REED BREAD")) == "A READ BREAD"


def test_ignored_pronunciation_belongs_to_the_other_word(tokenizer):
    assert tokenizer.decode(encode_by_hand("R", "EH", "D#")) == "RED"


def test_unknown_words(tokenizer):
    ids = tokenizer.encode("A BLUE RED")
    assert ids == [*encode_by_hand("AH#"), UNK_ID, *encode_by_hand("R", "EH", "D#")]
    assert tokenizer.decode(ids) == "A <unk> RED"
    assert tokenizer.missing("RED BLUE A BLACK BLUE") == ["BLACK", "BLUE"]


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["B", "IY", "D#", "AH#"], "<unk> A"),
        (["AH#", "R", "EH"], "A <unk>"),
        ([], ""),
    ],
)
def test_sequences_that_are_no_words(tokenizer, pieces, text):
    assert tokenizer.decode(encode_by_hand(*pieces)) == text


def test_unk_ends_a_word(tokenizer):
    ids = [*encode_by_hand("B", "R"), UNK_ID, *encode_by_hand("AH#")]
    assert tokenizer.decode(ids) == "<unk> A"


@pytest.mark.parametrize(
    ("pieces", "spans"),
    [
        (["R", "EH", "D#", "AH#"], [range(3), range(3, 4)]),
        (["AH#", "R", "EH"], [range(1), range(1, 3)]),
        ([], []),
    ],
)
def test_words_end_at_their_last_phone(tokenizer, pieces, spans):
    assert tokenizer.word_spans(encode_by_hand(*pieces)) == spans


def test_unk_is_the_end_of_a_span(tokenizer):
    ids = [*encode_by_hand("B", "R"), UNK_ID, *encode_by_hand("AH#")]
    assert tokenizer.word_spans(ids) == [range(3), range(3, 4)]


def test_decode_drops_blank_and_end(tokenizer):
    r, eh, d = encode_by_hand("R", "EH", "D#")
    assert tokenizer.decode([0, r, 0, eh, d, 1]) == "RED"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("BLUE", r"lex\.txt, line 2: word 'BLUE' has no phones"),
        ("BLUE B# L UW", r"lex\.txt, line 2: 'B#' cannot be a phone"),
        ("BLUE <blk>", r"lex\.txt, line 2: '<blk>' cannot be a phone"),
    ],
)
def test_malformed_lexicon_names_file_and_line(tmp_path, line, message):
    path = tmp_path / "lex.txt"
    path.write_text(f"A AH\n{line}\n")
    with pytest.raises(InputError, match=message):
        PhoneTokenizerConfig(lexicon=str(path)).train([])


def test_empty_or_unreadable_lexicon(tmp_path):
    path = tmp_path / "lex.txt"
    with pytest.raises(InputError, match=r"tokenizer\.lexicon: cannot read .*lex\.txt"):
        PhoneTokenizerConfig(lexicon=str(path)).train([])
    path.write_text("# nothing\n")
    with pytest.raises(InputError, match=r"lex\.txt has no words"):
        PhoneTokenizerConfig(lexicon=str(path)).train([])


def test_lexicon_edited_after_training(tokenizer):
    with pytest.raises(InputError, match=r"'BLUE' needs 'L', which tokens\.txt lacks"):
        PhoneTokenizer(tokenizer.tokens, LEXICON.encode() + b"BLUE B L UW\n")
    longer = PhoneTokenizer(tokenizer.tokens, LEXICON.encode() + b"BREED B R IY D\n")
    assert longer.encode("BREED") == encode_by_hand("B", "R", "IY", "D#")
