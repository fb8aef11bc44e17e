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


def test_first_pronunciations_come_before_others(tokenizer):
    lexicon = LEXICON.replace("RED R EH D\n", "") + "RED R EH D\nBRED B R EH D\n"
    later = PhoneTokenizer(tokenizer.tokens, lexicon.encode())
    for one in (tokenizer, later):
        assert one.decode(encode_by_hand("R", "EH", "D#")) == "RED"
    assert later.decode(encode_by_hand("B", "R", "EH", "D#")) == "BREAD"


def test_every_pronunciation_is_decoded(tokenizer):
    lexicon = LEXICON.replace("RED R EH D\n", "")
    without = PhoneTokenizer(tokenizer.tokens, lexicon.encode())
    assert without.decode(encode_by_hand("R", "EH", "D#")) == "READ"


def test_lexicon_has_all_pronunciations_once():
    content = LEXICON.encode() + b"READ R IY D\nBLUE B L UW\n"
    tokens = ["<blk>", "<sos/eos>", "<unk>", *PIECES, "L", "UW#"]
    lexicon = PhoneTokenizer(tokens, content).lexicon()
    assert lexicon["READ"] == [
        encode_by_hand("R", "IY", "D#"),
        encode_by_hand("R", "EH", "D#"),
    ]
    assert lexicon["BLUE"] == [[4, 9, 10]]
    assert list(lexicon) == ["RED", "READ", "REED", "A", "BREAD", "BLUE"]


def test_phones_of_other_pronunciations_are_tokens(tmp_path):
    path = tmp_path / "lex.txt"
    path.write_text("THE DH AH\nTHE DH IY\n")
    tokens = PhoneTokenizerConfig(lexicon=str(path)).train([]).tokens
    assert tokens[3:] == ["AH#", "DH", "IY#"]


def test_probabilities_and_variants_are_no_phones_or_words(tmp_path):
    path = tmp_path / "cmu.txt"
    path.write_text("read 0.2 R EH1 D\nread(2) 0.8 R IY1 D\nred 1.0 R EH1 D\n")
    tokenizer = PhoneTokenizerConfig(lexicon=str(path)).train([])
    assert tokenizer.tokens[3:] == ["D#", "EH1", "IY1", "R"]
    assert tokenizer.encode("read") == [6, 5, 3]
    assert tokenizer.decode([6, 5, 3, 6, 4, 3]) == "read red"
    # The lexicon travels as it is and is read the same way again.
    again = PhoneTokenizer(tokenizer.tokens, tokenizer.files()["lexicon.txt"])
    assert (
        again.lexicon()
        == tokenizer.lexicon()
        == {
            "read": [[6, 5, 3], [6, 4, 3]],
            "red": [[6, 4, 3]],
        }
    )


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
    with pytest.raises(InputError, match=r"cannot read .*lex\.txt.*make_lexicon"):
        PhoneTokenizerConfig(lexicon=str(path)).train([])
    path.write_text("# nothing\n")
    with pytest.raises(InputError, match=r"lex\.txt has no words"):
        PhoneTokenizerConfig(lexicon=str(path)).train([])


def test_lexicon_edited_after_training(tokenizer):
    with pytest.raises(InputError, match=r"'BLUE' needs 'L', which tokens\.txt lacks"):
        PhoneTokenizer(tokenizer.tokens, LEXICON.encode() + b"BLUE B L UW\n")
    longer = PhoneTokenizer(tokenizer.tokens, LEXICON.encode() + b"BREED B R IY D\n")
    assert longer.encode("BREED") == encode_by_hand("B", "R", "IY", "D#")
