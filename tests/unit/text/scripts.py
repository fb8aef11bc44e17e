"""Texts in many scripts, with what normalization would change; an older BPE model."""
# ruff: noqa: RUF001 (letters of other scripts look like Latin ones)

import io
import unicodedata

import sentencepiece

from asrkit.text.bpe import BpeTokenizer
from asrkit.text.tokenizer import SPECIAL_PIECES

_FRENCH = "L’ÉTÉ À LA MER ça, cœur ﬁn œuf"
_KOREAN = "오늘 날씨가 좋습니다"

SCRIPTS = {
    "Latin": f"don´t go straße İSTANBUL ½ ② café {_FRENCH}",
    "Latin, decomposed": unicodedata.normalize("NFD", f"{_FRENCH} tiếng Việt"),
    "Cyrillic": "ещё один день, ґанок її й",
    "Greek": "ὁ λόγος τῆς Ἑλλάδος, άλφα ά",  # U+03AC and U+1F71
    "Arabic": "السَّلامُ عليكم ﷺ ﻼ كتــاب",
    "Persian": "می\u200cروم خانه کتاب\u200cها را",
    # The points stand in the order in which they are typed.
    "Hebrew": "שָׁלוֹם שׁ\u05bc\u05b8 עולם \ufb2a",
    "Devanagari": "\u095c बड\u093cा क्\u200dष क\u094d\u200cष हिन्दी",
    "Bengali": "\u09df সময\u09bc বাংলা ভাষা",
    "Thai": "น้ำ ดี ที่นี่ กำลัง",
    "Tamil": "தமிழ் மொழி கொ \u0b95\u0bc6\u0bbe",
    "Chinese": "今天 天气 很好，\uf900 你好",
    "Japanese": "今日は 東京 ガ\u3099 ｶﾞｷﾞ ＡＢＣ ㍿",
    "Korean": _KOREAN,
    "Korean, decomposed": unicodedata.normalize("NFD", _KOREAN),
    "Amharic": "ሰላም፡ለዓለም፡ እንዴት ነህ",
    "Georgian": "გამარჯობა ᲛᲗᲐᲕᲠᲣᲚᲘ Ⴀⴀ",
    "no script": "a\u200bb soft\u00adhyphen \ufeffmark 🙂\ufe0f x\u0007y ﾟ",
}
"""Transcripts by script, words apart by single spaces."""


def bpe_of_icefall(texts):
    """Train as icefall and asrkit's first versions do: with sentencepiece's rule."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=500,
        hard_vocab_limit=False,
        character_coverage=1.0,
        control_symbols=SPECIAL_PIECES[:2],
        unk_id=2,
        unk_surface=SPECIAL_PIECES[2],
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
    )
    return BpeTokenizer(model.getvalue())
