"""scripts/train_ngram.py's command."""

import math

import pytest
import torch
from lhotse import CutSet, MonoCut, SupervisionSegment

from asrkit.cli.training.train_ngram import main, perplexity
from asrkit.data.corpora.manifests import write_manifests
from asrkit.models.lm.ngram_lm import load_ngram_lm, load_word_lm
from asrkit.text.char import CharTokenizerConfig
from asrkit.text.ngram.arpa import write_arpa
from asrkit.text.ngram.kneser_ney import train_kneser_ney
from asrkit.text.phone import PhoneTokenizer
from asrkit.text.tokenizer import SPECIAL_PIECES
from asrkit.text.words import WordList
from asrkit.utils.errors import InputError

TRAIN = ["THE SEA", "A SHIP AT SEA", "THE SHIP", "HAT", "THE HEAP AT SEA"]
LETTERS = sum(map(len, TRAIN))
DEV = ["A HEAP", "THE PIE", "SEA"]


@pytest.fixture
def tokenizer():
    return CharTokenizerConfig().train(TRAIN)


@pytest.fixture
def call(tmp_path, tokenizer, capsys):
    """Run the command in a folder of text; return what it printed."""
    tokenizer.save(tmp_path / "lang")
    (tmp_path / "train.txt").write_text("\n".join(TRAIN) + "\n")
    (tmp_path / "dev.txt").write_text("\ufeff" + "\n\n".join(DEV), encoding="utf-8")

    def run(*argv):
        paths = [
            str(tmp_path / word) if word.endswith((".txt", "cuts")) else word
            for word in argv
        ]
        lang, out = str(tmp_path / "lang"), str(tmp_path / "lm" / "3.arpa")
        assert main([*paths, "--lang-dir", lang, "--out", out]) == 0
        return capsys.readouterr().out.splitlines()

    return run


def walk(model, sentence):
    """Return the log-probability of a sentence, token by token."""
    state = model.start(1, torch.device("cpu"))
    total = 0.0
    for token in sentence:
        total += model.scores(state)[0, token].item()
        state = model.advance(state, torch.tensor([token]))
    return total + model.final(state).item()


def test_text_files(call, tmp_path, tokenizer):
    printed = call("--text", "train.txt", "train.txt", "--dev-text", "dev.txt")
    model = load_ngram_lm(tmp_path / "lm" / "3.arpa", tokenizer.tokens)
    sentences = [tokenizer.encode(text) for text in DEV]
    total = sum(walk(model, sentence) for sentence in sentences)
    expected = math.exp(-total / (6 + 7 + 3 + 3))
    header = (tmp_path / "lm" / "3.arpa").read_text().split("\n\n")[0]
    counts = [int(line.split("=")[1]) for line in header.splitlines()[1:]]
    assert printed == [
        f"train: 10 sentences, {2 * LETTERS} tokens, 0 of them <unk>, "
        "0 empty lines left out",
        "dev: 3 sentences, 16 tokens, 0 of them <unk>, 2 empty lines left out",
        f"order 1: {counts[0] - 1} n-grams",  # <s> is no token
        f"order 2: {counts[1]} n-grams",
        f"order 3: {counts[2]} n-grams",
        f"wrote {tmp_path}/lm/3.arpa",
        f"dev: perplexity {expected:.4f} per token, sentence ends included",
    ]


def test_sets_give_the_model_of_their_text(call, tmp_path):
    call("--text", "train.txt", "--order", "2", "--min-counts", "1", "2")
    from_text = (tmp_path / "lm" / "3.arpa").read_bytes()
    for part, texts in {"train": TRAIN[:2], "more": [*TRAIN[2:], ""]}.items():
        cuts = [
            MonoCut(
                id=f"{part}-{i}",
                start=0.0,
                duration=1.0,
                channel=0,
                supervisions=[SupervisionSegment(str(i), "r", 0.0, 1.0, text=text)],
            )
            for i, text in enumerate(texts)
        ]
        write_manifests({part: CutSet.from_cuts(cuts)}, {}, tmp_path / "cuts")
    sets = ["--manifests", "cuts", "--sets", "train", "more", "--dev-sets", "train"]
    printed = call(*sets, "--order", "2", "--min-counts", "1", "2")
    assert printed[0].endswith("0 of them <unk>, 1 empty lines left out")
    assert printed[1].startswith("dev: 2 sentences, 20 tokens")
    assert (tmp_path / "lm" / "3.arpa").read_bytes() == from_text


def test_what_the_tokenizer_lacks_is_counted(call, tmp_path):
    (tmp_path / "odd.txt").write_text("THE ZOO\nZAP\n")
    printed = call("--text", "train.txt", "odd.txt")
    expected = f"train: 7 sentences, {LETTERS + 10} tokens, 4 of them <unk>"
    assert printed[0].startswith(expected)
    assert printed[1] == "train: the tokenizer lacks 2 symbols, such as 'O', 'Z'"


def test_words_of_the_lexicon(call, tmp_path, capsys):
    lexicon = b"SEA S I\nSEE S I\nSHIP SH P\nTHE TH\nAT AE T\n"
    tokens = [*SPECIAL_PIECES, "S", "I#", "SH", "P#", "TH#", "AE", "T#"]
    PhoneTokenizer(tokens, lexicon).save(tmp_path / "phones")
    words = WordList(["SEA", "SEE", "SHIP", "THE", "AT"])
    out, train = tmp_path / "words.arpa", tmp_path / "train.txt"
    arguments = ["--text", str(train), "--dev-text", str(train), "--order", "2"]
    phones = ["--lang-dir", str(tmp_path / "phones"), "--out", str(out)]
    assert main([*arguments, *phones, "--words"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [
        "train: 5 sentences, 13 words, 3 of them <unk>, 0 empty lines left out",
        "train: the tokenizer lacks 3 words, such as 'A', 'HAT', 'HEAP'",
    ]
    sentences = [words.encode(text) for text in TRAIN]
    table = train_kneser_ney(sentences, words.vocab_size, order=2)
    write_arpa(tmp_path / "expected.arpa", table, words.tokens)
    assert out.read_bytes() == (tmp_path / "expected.arpa").read_bytes()
    model = load_word_lm(out, words.tokens)
    value = perplexity(model, sentences)
    assert printed[-1] == (
        f"dev: perplexity {value:.4f} per word, sentence ends included"
    )
    with pytest.raises(InputError, match="--words takes the words of a lexicon, which"):
        call("--text", "train.txt", "--words")


def test_long_and_short_sentences_together(call, tmp_path, tokenizer, monkeypatch):
    call("--text", "train.txt")
    model = load_ngram_lm(tmp_path / "lm" / "3.arpa", tokenizer.tokens)
    sentences = [[3 + i % 5 for i in range(length)] for length in (30, 2, 7, 1, 30, 4)]
    expected = perplexity(model, sentences)
    monkeypatch.setattr("asrkit.cli.training.train_ngram._AT_ONCE", 10)
    assert perplexity(model, sentences) == pytest.approx(expected, rel=1e-6)


def test_bad_input(call, tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*no\.txt: No such file"):
        call("--text", "no.txt")
    (tmp_path / "odd.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"odd\.txt is not UTF-8 text .*at byte 0"):
        call("--text", "odd.txt")
    (tmp_path / "odd.txt").write_text("\n \n")
    with pytest.raises(InputError, match="train: there is no text, 2 empty lines"):
        call("--text", "odd.txt")
    with pytest.raises(InputError, match=r"no manifest .*librispeech_cuts_train"):
        call("--manifests", "cuts", "--sets", "train")
    with pytest.raises(InputError, match="order 3 needs 3 minimum counts"):
        call("--text", "train.txt", "--min-counts", "1", "1")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "one of the arguments --text --sets is required"),
        (["--text", "a", "--sets", "b"], "not allowed with argument --text"),
        (["--sets", "train"], "--sets and --dev-sets need --manifests"),
        (
            ["--text", "a", "--dev-sets", "dev"],
            "--sets and --dev-sets need --manifests",
        ),
        (["--text", "a", "--order", "0"], "--order must be at least 1"),
    ],
)
def test_wrong_arguments(argv, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*argv, "--lang-dir", "lang", "--out", "lm.arpa"])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "modified Kneser-Ney" in capsys.readouterr().out.replace("\n", " ")
