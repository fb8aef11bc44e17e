"""What the data report says is odd about a corpus."""
# ruff: noqa: RUF001 (letters of other scripts look like Latin ones)

import unicodedata

import pytest

from asrkit.text.bpe import BpeTokenizerConfig
from asrkit.text.char import CharTokenizerConfig
from asrkit.text.phone import PhoneTokenizerConfig
from tests.unit.data.report.reports import LIMITS, TOKENIZER, clean, make_cut, report_on
from tests.unit.text.scripts import SCRIPTS, bpe_of_icefall


def warnings_of(report, start):
    return [warning for warning in report.warnings if warning.startswith(start)]


def test_warnings_name_problem_part_count_fate_examples_and_advice():
    train = [*clean("train"), *(make_cut(f"empty-{i}", "") for i in range(5))]
    train += [make_cut("x", "ÜÉ"), make_cut("y", "É", peak=1.0, clipped=0.5)]
    test = [*clean("test"), make_cut("mute", "", peak=0.0, speaker="eve")]
    report = report_on(train=train, dev=[make_cut("d", "É", clipped=0.5)], test=test)
    assert warnings_of(report, "Empty text") == [
        "Empty text: 5 of train left out (empty-0, empty-1, empty-2 and 2 more); "
        "1 of test decoded all the same (mute). Write their transcripts or drop them "
        "from the corpus."
    ]
    (silent,) = warnings_of(report, "Silent audio")
    assert "audio: 1 of test decoded all the same (mute). Listen" in silent
    (lacking,) = warnings_of(report, "Text that the tokenizer lacks")
    assert "lacks (É in 3, Ü in 1): 2 of train left out (x, y); 1 of dev kept" in (
        lacking
    )
    (clipped,) = warnings_of(report, "Clipped audio")
    assert "audio: 1 of dev kept (d). Lower" in clipped


def test_labels_too_many_for_the_frames_get_advice_where_they_are_many():
    # Two frames a second.
    limits = {"max_symbols_per_frame": 1, "limited_by": "MONOTONIC"}
    dense = [make_cut("x", "ABCDE"), make_cut("y", "ABCDE")]
    few = clean("train", 198)
    for cut in few:
        cut.supervisions[0].text = "A"
    assert not warnings_of(report_on(limits, train=[*few, *dense]), "1.0 %")
    (said,) = warnings_of(report_on(limits, train=[*few[:-1], *dense]), "1.0 %")
    assert said == (
        "1.0 % of train has more labels than frames: with MONOTONIC a frame, one of 4 "
        f"feature frames, cannot hold several labels, and V = {TOKENIZER.vocab_size} "
        "makes many. Train with loss.topology=REGULAR and without CTC, or make fewer "
        "labels (BPE, a larger tokenizer.vocab_size), or more frames (a smaller "
        "encoder.subsampling)."
    )


def test_clean_corpus_gives_no_warning():
    parts = {part: clean(part, 4) for part in ("train", "dev", "test")}
    parts["train"] += [make_cut("all", "ABCDEFGH A", 8.0)]
    report = report_on(LIMITS, **parts)
    assert report.warnings == []
    assert report.render().endswith("\n\nNo warnings.\n")


def test_corpus_of_one_speaker_says_so():
    report = report_on(train=[make_cut("a", "A")], test=[make_cut("b", "B")])
    assert warnings_of(report, "The corpus has one speaker, 'ann'")
    assert "one speaker" in report.render()


def test_shared_speakers():
    train = [make_cut("1", "A", speaker="ann"), make_cut("2", "B", speaker="bob")]
    test = [make_cut("3", "C", speaker="bob"), make_cut("4", "D", speaker="cid")]
    report = report_on(
        train=train, train_more=clean("dev"), dev=clean("dev"), test=test
    )
    (of_test,) = warnings_of(report, "test:")
    assert of_test.startswith("test: 1 of 2 speakers are also in train (bob)")
    (of_dev,) = warnings_of(report, "dev:")
    assert of_dev.startswith("dev: 1 of 1 speakers are also in train (dev-speaker)")


def test_nameless_speakers_are_reported():
    report = report_on(
        train=[make_cut("1", "A", speaker=None)], dev=clean("dev"), test=clean("test")
    )
    assert warnings_of(report, "No speakers are named in train, so")
    assert report.parts[0].speakers == 0
    rows = [line.split() for line in report.render().splitlines()[3:5]]
    assert [row[5] for row in rows] == ["?", "1"]


def test_shared_sentences_are_counted():
    train = [make_cut("1", "A  B"), make_cut("2", "C"), make_cut("3", "")]
    texts = ["A B", "A B", "C", "D", "", "E", "F", "G"]
    test = [make_cut(str(i), text, speaker="t") for i, text in enumerate(texts)]
    report = report_on(train=train[:1], train_more=train[1:], test=test)
    (warning,) = warnings_of(report, "test: the sentences")
    assert "of 3 of 8 utterances (37.5 %) are also in train" in warning


def test_mixed_sampling_rates():
    report = report_on(train=clean("train"), test=clean("test", 2, rate=8000))
    assert warnings_of(report, "Several sampling rates (16000 Hz: 3, 8000 Hz: 2)")
    assert "sampling rate: 8000 Hz, 16000 Hz" in report.render()


def test_what_is_upsampled_is_told():
    parts = {"train": clean("train"), "test": clean("test", 2, rate=8000)}
    (warning,) = warnings_of(report_on({"sampling_rate": 16000}, **parts), "Upsampled")
    assert "features.sampling_rate=16000: 2 of 2 of test (8000 Hz)" in warning
    assert not warnings_of(report_on({"sampling_rate": 8000}, **parts), "Upsampled")


def test_unused_pieces():
    report = report_on(train=clean("train"), test=clean("test"))
    assert warnings_of(report, "Only 22 % of the tokenizer's pieces occur in train")
    more = report_on(train=clean("train"), train_more=[make_cut("m", "CDEF")])
    assert not warnings_of(more, "Only")


def test_nothing_left_to_train_on():
    report = report_on(train=[make_cut("a", "")], dev=clean("dev"))
    assert report.warnings[0].startswith("train: every utterance is left out")


def cuts_of(texts, part):
    return [make_cut(f"{part}{i}", text, 60.0) for i, text in enumerate(texts)]


def test_what_the_tokenizer_changes_is_counted_and_named():
    texts = ["don´t go", "می\u200cروم می\u200cروم", "می\u200cروم", "come"]
    parts = {part: cuts_of(texts, part) for part in ("train", "dev", "test")}
    report = report_on(tokenizer=bpe_of_icefall(texts), **parts)
    (changed,) = warnings_of(report, "Text that the tokenizer changes")
    assert changed.startswith(
        "Text that the tokenizer changes (U+200C becomes a space in 6, ´ (U+00B4) "
        "becomes a space + U+0301 in 3): 3 of train kept (train0, train1, train2); "
        "3 of dev kept (dev0, dev1, dev2); 3 of test decoded all the same (test0, "
    )
    assert report.left_out == []
    rows = [(found.id, found.reason) for found in report.kept if found.part == "dev"]
    assert rows == [
        ("dev0", "not what comes back: ´ (U+00B4) becomes a space + U+0301"),
        ("dev1", "not what comes back: U+200C becomes a space"),
        ("dev2", "not what comes back: U+200C becomes a space"),
    ]


@pytest.mark.parametrize(
    "config", [BpeTokenizerConfig(vocab_size=500), CharTokenizerConfig()]
)
def test_no_script_is_changed(config):
    tokenizer = config.train(SCRIPTS.values())
    report = report_on(
        tokenizer=tokenizer,
        train=cuts_of(SCRIPTS.values(), "train"),
        test=cuts_of(SCRIPTS.values(), "test"),
    )
    assert report.left_out == report.kept == []
    assert "comes back" not in report.render()
    # French and Korean come in both forms, and Greek has U+03AC as U+1F71, too.
    (found,) = warnings_of(report, "Letters that are one character in some")
    assert "(É (U+00C9): 2, À (U+00C0): 2, " in found


def test_one_form_of_letters_is_no_problem():
    for form in ("NFC", "NFD"):
        texts = [unicodedata.normalize(form, text) for text in SCRIPTS.values()]
        report = report_on(
            tokenizer=CharTokenizerConfig().train(texts), train=cuts_of(texts, "train")
        )
        assert warnings_of(report, "Letters") == []


def test_homophones_are_counted(tmp_path):
    lexicon = tmp_path / "lexicon.txt"
    lexicon.write_text("TO T UW\nTWO T UW\nTOO T UW\nTEN T EH N\n")
    tokenizer = PhoneTokenizerConfig(lexicon=str(lexicon)).train([])
    train = cuts_of(["TEN TO TWO", "TWO TOO", "TEN"], "train")
    test = cuts_of(["TEN TEN"], "test")
    report = report_on(tokenizer=tokenizer, train=train, test=test)
    (found,) = warnings_of(report, "Words that sound like another word")
    assert "(TO for TWO: 2, TO for TOO: 1): 3 of 6 in train. A lang" in found
    assert report.kept == report.left_out == []


def test_characters_and_what_of_them_is_unknown():
    report = report_on(
        tokenizer=CharTokenizerConfig().train(["今天天气", "A B"]),
        train=[make_cut("1", "今天 天气"), make_cut("2", "A B")],
        dev=[make_cut("3", "今气候", speaker="d")],
        test=[make_cut("4", "候候 龘 今", speaker="t")],
    )
    page = report.render()
    assert "tokenizer: 9 pieces, 3 of them special\n" in page
    assert "different characters: train 5, dev 3, test 3\n" in page
    assert "unknown characters or words: train 0, dev 1, test 2\n" in page
    (warning,) = warnings_of(report, "Text that the tokenizer lacks")
    assert "(候 in 2, 龘 in 1)" in warning
