"""What decoding a set says of it."""
# ruff: noqa: RUF001 (letters of other scripts look like Latin ones)

from asrkit.decoding.scoring.score import Hypothesis
from asrkit.pipeline.decode.decode_set import warn_of_changes, warn_of_unknown
from asrkit.text.char import CharTokenizerConfig
from tests.unit.text.scripts import bpe_of_icefall


def test_references_that_a_model_cannot_write_are_told(caplog):
    texts = ["می\u200cروم خانه", "don´t go", "come"]
    hypotheses = [
        Hypothesis(id=f"u{i}", ref=text.split(), hyp=[]) for i, text in enumerate(texts)
    ]
    warn_of_changes(CharTokenizerConfig().train(texts), hypotheses)
    assert caplog.messages == []
    warn_of_changes(bpe_of_icefall(texts), hypotheses)
    (said,) = caplog.messages
    assert said.startswith("2 references (u0...) have what this model cannot write")
    assert "U+200C becomes a space; ´ (U+00B4) becomes a space + U+0301; " in said


def test_references_with_unknown_characters_are_told_once(caplog):
    texts = ["今天 天气 OK", "天天 龘", "天"]
    hypotheses = [
        Hypothesis(id=f"u{i}", ref=text.split(), hyp=[]) for i, text in enumerate(texts)
    ]
    warn_of_unknown(CharTokenizerConfig().train(texts), hypotheses)
    warn_of_changes(CharTokenizerConfig().train(texts), hypotheses)
    assert caplog.messages == []  # blanks between Han are nothing to tell
    warn_of_unknown(CharTokenizerConfig().train(["今天气"]), hypotheses)
    assert caplog.messages == [
        "2 references (u0...) have 4 characters or words that this model's tokenizer "
        "lacks, and which count as wrong: K in 1, O in 1, ▁ in 1, 龘 in 1"
    ]
