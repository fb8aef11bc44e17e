"""Words and their times from labels."""

import pytest

from asrkit.decoding.transcripts.words import Word, find_words
from asrkit.text.bpe import BpeTokenizerConfig
from asrkit.text.char import CharTokenizer
from asrkit.text.tokenizer import SPECIAL_PIECES

TOKENIZER = CharTokenizer([*SPECIAL_PIECES, *"ABC▁"])
SECONDS = {"frame_seconds": 0.5, "duration": 100.0}


def find(text, frames, confidences=None, **settings):
    tokens = [TOKENIZER.tokens.index(piece) for piece in text]
    settings = {**SECONDS, **settings}
    confidences = confidences or [1.0] * len(tokens)
    return find_words(TOKENIZER, tokens, frames, confidences, **settings)


def test_a_word_goes_from_its_first_to_the_end_of_its_last_label():
    assert find("AB▁C", [2, 5, 6, 9], [0.9, 0.8, 0.1, 0.7]) == [
        Word("AB", 1.0, 3.0, 0.8),
        Word("C", 4.5, 5.0, 0.7),
    ]


def test_a_word_ends_where_the_next_one_begins():
    words = find("AB▁C", [2, 5, 5, 5])
    assert [(word.start, word.end) for word in words] == [(1.0, 2.5), (2.5, 3.0)]


def test_words_of_one_frame_divide_it():
    words = find("A▁B▁CA", [4, 4, 4, 4, 4, 7])
    times = [(word.start, word.end) for word in words]
    expected = [(2.0, 2.0 + 0.5 / 3), (2.0 + 0.5 / 3, 2.0 + 1.0 / 3), (2 + 1.0 / 3, 4)]
    assert [x for pair in times for x in pair] == pytest.approx(
        [x for pair in expected for x in pair]
    )


def test_words_end_with_the_audio():
    words = find("A▁B", [3, 4, 4], duration=2.2)
    assert [(word.start, word.end) for word in words] == [(1.5, 2.0), (2.0, 2.2)]
    words = find("A▁B", [4, 4, 4], duration=2.2)
    assert [(word.start, word.end) for word in words] == [(2.0, 2.1), (2.1, 2.2)]


def test_a_piece_of_a_recording_begins_later():
    (word,) = find("A", [2], offset=10.0)
    assert (word.start, word.end) == (11.0, 11.5)


def test_words_that_a_search_chose_take_the_place_of_the_tokenizers():
    chosen = find("AB▁C", [2, 5, 6, 9], texts=["TWO", "SEE"])
    spelled = find("AB▁C", [2, 5, 6, 9])
    assert [word.text for word in chosen] == ["TWO", "SEE"]
    times = [[(word.start, word.end) for word in words] for words in (chosen, spelled)]
    assert times[0] == times[1]


def test_labels_that_spell_nothing():
    assert find("▁", [3]) == []
    bpe = BpeTokenizerConfig(vocab_size=20).train(["THE SEA", "A SHIP"])
    ids = [*bpe.encode("A"), bpe.tokens.index("▁")]
    words = find_words(bpe, ids, [1] * len(ids), [1] * len(ids), **SECONDS)
    assert [word.text for word in words] == ["A"]
    assert find("", []) == []


def test_a_word_ends_with_its_last_label_where_that_is_known():
    words = find("AB▁C", [2, 5, 8, 9], ends=[4, 7, 9, 12])
    assert [(word.start, word.end) for word in words] == [(1.0, 3.5), (4.5, 6.0)]


def test_each_han_character_has_its_times():
    tokenizer = CharTokenizer([*SPECIAL_PIECES, *"今天OK▁"])
    pieces = "今天OK▁天"
    tokens = [tokenizer.tokens.index(piece) for piece in pieces]
    words = find_words(tokenizer, tokens, [0, 2, 4, 5, 6, 7], [1.0] * 6, **SECONDS)
    assert [(word.text, word.start, word.end) for word in words] == [
        ("今", 0.0, 0.5), ("天", 1.0, 1.5), ("OK", 2.0, 3.0), ("天", 3.5, 4.0),
    ]  # fmt: skip
