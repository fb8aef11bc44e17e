import sys
import unicodedata

import pytest

from asrkit.text.normalize import TextStyle, normalize_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello,  “world” \u2013 it\u2019s O'Neil's!", "HELLO WORLD IT'S O'NEIL'S"),
        ("well-known_name 42%", "WELL KNOWN NAME 42"),
        ("' rock 'n' roll ''", "ROCK 'N' ROLL"),
        ("ﬁne \uff21\uff22\uff23 naïve straße", "FINE ABC NAÏVE STRASSE"),
        ("nai\u0308ve", "NAÏVE"),
        ("नमस्ते दुनिया।", "नमस्ते दुनिया"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # noqa: RUF001
        ("你好,世界。", "你好 世界"),
        ("soft\u00adly \ufeffthen", "SOFTLY THEN"),
        ("\u0390", "\u03aa\u0301"),
        ("...", ""),
    ],
)
def test_librispeech_style(text, expected):
    assert normalize_text(text, TextStyle.LIBRISPEECH) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("而 对 楼市 成交", "而对楼市成交"),  # blanks between Han
        (
            "这是\uff41\uff42\uff43座 \uff54",
            "这是ABC座 T",
        ),  # full-width to ASCII, upper case
        ("我 爱\u3000python  world 今 天", "我爱 PYTHON WORLD 今天"),
        ("你好, 世界。 ok!", "你好世界 OK"),  # punctuation
        ("今日 は ｶﾞﾗｽ 東京", "今日はガラス東京"),  # half-width kana
        ("①㍿ 中", "1株式会社中"),
        ("오늘 날씨", "오늘 날씨"),
        ("ที่ นี่", "ที่ นี่"),
    ],
)
def test_aishell_style(text, expected):
    assert normalize_text(text, TextStyle.AISHELL) == expected
    assert normalize_text(expected, TextStyle.AISHELL) == expected


def test_none_leaves_the_text_alone():
    assert normalize_text(" Hello,\tWorld ", TextStyle.NONE) == " Hello,\tWorld "


@pytest.mark.parametrize("style", [TextStyle.LIBRISPEECH, TextStyle.AISHELL])
def test_every_character_gives_a_stable_result_of_allowed_characters(style):
    allowed = set("LMN")
    for code in range(0, sys.maxunicode + 1, 17):
        once = normalize_text(f"a{chr(code)}b 中 {chr(code)} カ", style)
        assert normalize_text(once, style) == once
        for character in once:
            assert character in " '\u200c\u200d" or (
                unicodedata.category(character)[0] in allowed
            ), hex(code)
