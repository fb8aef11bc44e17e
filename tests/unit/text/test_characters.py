"""Characters with their marks, and scripts without blanks, by hand-picked letters."""
# ruff: noqa: RUF001 (letters of other scripts look like Latin ones)

import unicodedata

import pytest

from asrkit.text.characters import is_unspaced, split_characters, split_scripts
from tests.unit.text.scripts import SCRIPTS

# Unicode's LineBreak.txt (ID, CJ and SA letters) and Scripts.txt, a few of each.
UNSPACED = "今\u3400\U00020000\uf900〇々〆あァーｶゟไๆລកမᥐᦀᨠꪀ"
SPACED = "aÉßабגعहবத한ㅎᄒბሰ1１٣ⅷ'_，。、・㍿①฿\u0e50"


@pytest.mark.parametrize("character", UNSPACED)
def test_letters_of_scripts_without_blanks(character):
    assert is_unspaced(character)


@pytest.mark.parametrize("character", SPACED)
def test_other_characters(character):
    assert not is_unspaced(character)


@pytest.mark.parametrize("name", [one for one in SCRIPTS if "Korean" not in one])
def test_a_mark_belongs_to_its_base_in_both_forms(name):
    for form in ("NFC", "NFD"):
        for word in unicodedata.normalize(form, SCRIPTS[name]).split():
            found = split_characters(word)
            assert "".join(found) == word
            # A composed letter is one character in either form.
            composed = unicodedata.normalize("NFC", word)
            assert len(found) == len(split_characters(composed))


def test_marks_joiners_and_words_that_begin_with_a_mark():
    assert split_characters("cafe\u0301s") == ["c", "a", "f", "e\u0301", "s"]
    assert split_characters("क्\u200dष") == ["क्\u200d", "ष"]
    assert split_characters("ที่นี่") == ["ที่", "นี่"]
    assert split_characters("ｶﾞﾗｽ") == ["ｶﾞ", "ﾗ", "ｽ"]
    assert split_characters("\u0301a") == ["\u0301", "a"]
    assert split_characters("") == []


def test_words_are_cut_where_the_kind_of_script_changes():
    assert list(split_scripts("我HAVE一个PEN")) == ["我", "HAVE", "一", "个", "PEN"]
    assert list(split_scripts("カ\u3099ラス3")) == ["カ\u3099", "ラ", "ス", "3"]
    assert list(split_scripts("좋습니다")) == ["좋습니다"]
    assert list(split_scripts("")) == []
