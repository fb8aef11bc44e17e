"""Texts through every tokenizer and back."""
# ruff: noqa: RUF001 (letters of other scripts look like Latin ones)

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrkit.text.bpe import BpeTokenizerConfig
from asrkit.text.char import CharTokenizerConfig, Spelling
from asrkit.text.characters import join_words
from asrkit.text.load import tokenizer_from_files
from asrkit.text.phone import PhoneTokenizerConfig
from asrkit.text.round_trip import RoundTrip, describe_change
from asrkit.text.tokenizer import UNK_ID
from tests.unit.text.scripts import SCRIPTS, bpe_of_icefall


def train(kind, texts, folder):
    """Make a tokenizer; as phones the letters of each word serve."""
    if kind == "bpe":
        return BpeTokenizerConfig(vocab_size=500).train(texts)
    if kind == "char":
        return CharTokenizerConfig().train(texts)
    words = dict.fromkeys(word for text in texts for word in text.split())
    lexicon = folder / "lexicon.txt"
    lines = [f"{word} {' '.join(word)}\n" for word in words]
    lexicon.write_text("".join(lines), encoding="utf-8")
    return PhoneTokenizerConfig(lexicon=str(lexicon)).train(texts)


@pytest.mark.parametrize("kind", ["bpe", "char", "phone"])
def test_every_script_comes_back(kind, tmp_path):
    trained = train(kind, SCRIPTS.values(), tmp_path)
    for tokenizer in (trained, tokenizer_from_files(trained.files())):
        round_trip = RoundTrip(tokenizer)
        for script, text in SCRIPTS.items():
            ids = tokenizer.encode(text)
            normal = join_words(text.split()) if kind == "char" else text
            assert tokenizer.decode(ids) == normal, script
            assert tokenizer.missing(text) == [], script
            assert UNK_ID not in ids
            assert round_trip.changes(text, ids) == []
            spans = tokenizer.word_spans(ids)
            words = [tokenizer.decode([ids[i] for i in span]) for span in spans]
            assert "".join(words) == text.replace(" ", ""), script
            if script not in ("Chinese", "Japanese"):
                assert words == text.split(), script


def changes(tokenizer, text):
    found = RoundTrip(tokenizer).changes(text, tokenizer.encode(text))
    return [describe_change(one) for one in found]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("don´t go", ["´ (U+00B4) becomes a space + U+0301"]),
        ("می\u200cروم خانه", ["U+200C becomes a space"]),
        ("น้ำ ดี", ["ำ (U+0E33) becomes U+0E4D + า (U+0E32)"]),
        ("\u09df", ["\u09df (U+09DF) becomes য (U+09AF) + U+09BC"]),
        ("\u095c", ["\u095c (U+095C) becomes ड (U+0921) + U+093C"]),
        ("e\u0301te", ["e + U+0301 becomes é (U+00E9)"]),
        ("x\u0007y", ["U+0007 becomes nothing"]),
    ],
)
def test_changes_by_sentencepieces_own_rule_are_named(text, said):
    """The rule is nmt_nfkc, of sentencepiece 0.2.3: what icefall's models have."""
    assert changes(bpe_of_icefall([text, "other words"]), text) == said


def test_an_older_model_keeps_its_rule():
    text = SCRIPTS["Persian"]
    older = bpe_of_icefall([text])
    assert older.decode(older.encode(text)) == text.replace("\u200c", " ")
    again = tokenizer_from_files(older.files())
    assert again.encode(text) == older.encode(text)


@pytest.mark.parametrize("kind", ["bpe", "char"])
def test_the_sign_of_a_space_is_one(kind, tmp_path):
    tokenizer = train(kind, ["A▁B C"], tmp_path)
    assert changes(tokenizer, "A▁B C") == ["▁ (U+2581) becomes a space"]


def test_each_change_is_told_once_and_missing_letters_are_not_changed():
    tokenizer = bpe_of_icefall(["ﬁn ﬁx of it"])
    assert changes(tokenizer, "ﬁn ﬁx ﬁZ") == ["ﬁ (U+FB01) becomes f + i"]


def test_homophones_are_no_changes(tmp_path):
    lexicon = tmp_path / "lexicon.txt"
    lexicon.write_text("TO T UW\nTWO T UW\nTOO T UW\nTEN T EH N\n")
    tokenizer = PhoneTokenizerConfig(lexicon=str(lexicon)).train([])
    text = "TWO TO TEN TOO TWO"
    assert tokenizer.decode(tokenizer.encode(text)) == "TO TO TEN TO TO"
    assert changes(tokenizer, text) == []
    pairs = [("TWO", "TO"), ("TOO", "TO"), ("TWO", "TO")]
    assert tokenizer.homophones(text) == pairs
    assert tokenizer.homophones("TEN X") == []


letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0▁▅")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(letters, max_size=8), min_size=1, max_size=4))
def test_any_text_comes_back(words):
    """But U+0000 and U+2585: sentencepiece leaves out sentences with them."""
    text = " ".join(" ".join(words).split())
    if not text:
        return
    for config in (
        BpeTokenizerConfig(vocab_size=500),
        BpeTokenizerConfig(vocab_size=500, byte_fallback=True, character_coverage=0.98),
        CharTokenizerConfig(),
        CharTokenizerConfig(spelling=Spelling.WORDS),
    ):
        tokenizer = config.train([text])
        normal = (
            text if isinstance(config, BpeTokenizerConfig) else join_words(text.split())
        )
        assert tokenizer.decode(tokenizer.encode(text)) == normal
        # White space of any kind is as good as a space.
        spread = text.replace(" ", "\u00a0\t\u3000")
        assert tokenizer.decode(tokenizer.encode(f" {spread}\n")) == normal
