"""scripts/make_lexicon.py's command."""

import pytest
from lhotse import CutSet, MonoCut, SupervisionSegment

from asrkit.cli.data.make_lexicon import main
from asrkit.data.corpora.manifests import write_manifests
from asrkit.text.pronunciation.lexicon import parse_pronunciations
from asrkit.utils.errors import InputError

LEXICON = """\
TEN T EH1 N
NET N EH1 T
THE DH AH0
THE DH AH1
THE DH IY0
TEE T IY1
TEA T IY1
"""


@pytest.fixture
def call(tmp_path, capsys):
    """Run the command on files of the test's folder; return what it printed."""
    (tmp_path / "words.txt").write_text(LEXICON)

    def run(*argv, text=""):
        (tmp_path / "text.txt").write_text(text, encoding="utf-8")
        paths = [str(tmp_path / x) if x.endswith((".txt", "cuts")) else x for x in argv]
        assert main([*paths, "--out", str(tmp_path / "out" / "lex.txt")]) == 0
        return capsys.readouterr().out.splitlines()

    run.out = lambda name="lex": tmp_path / "out" / f"{name}.txt"
    return run


def test_guesses_follow_the_lexicon(call):
    printed = call(
        *("--text", "text.txt", "--from", "words.txt"),
        text="TEA TENT\nTHE 4TH #TEN TENT\n",
    )
    assert printed[0].startswith("5 words: 2 from ")
    assert printed[0].endswith("words.txt, 1 guessed, 2 left out")
    # Frequent words first, those that the text lacks as they came; no stress.
    assert call.out().read_text().splitlines() == [
        "TENT T EH N T",
        "THE DH AH",
        "THE DH IY",
        "TEA T IY",
        "TEN T EH N",
        "NET N EH T",
        "TEE T IY",
    ]
    assert call.out("lex_guessed").read_text() == "TENT T EH N T\n"
    assert call.out("lex_left_out").read_text() == "#TEN\n4TH\n"


def test_lists_of_an_earlier_run_are_removed(call):
    argv = ("--text", "text.txt", "--from", "words.txt")
    call(*argv, text="TEA TENT 4TH")
    assert len(list(call.out().parent.iterdir())) == 3
    printed = call(*argv, text="TEA")
    assert list(call.out().parent.iterdir()) == [call.out()]
    assert printed == [
        f"1 words: 1 from {call.out().parents[1] / 'words.txt'}, 0 guessed, 0 left out",
        f"wrote {call.out()}: 6 lines",
    ]


def test_lexicons_of_others_teach_and_are_rewritten(call, tmp_path):
    (tmp_path / "words.txt").write_text(
        ";;; CMUdict\nTEN T EH1 N # number\nNET N EH1 T\nTHE DH AH0\nTHE(2) DH IY0\n"
    )
    printed = call("--text", "text.txt", "--from", "words.txt", text="THE TENT")
    assert "1 from" in printed[0]
    written = "TENT T EH N T\nTHE DH AH\nTHE DH IY\nTEN T EH N\nNET N EH T\n"
    assert sorted(call.out().read_text().splitlines()) == sorted(written.splitlines())
    (tmp_path / "words.txt").write_text(
        "TEN\t0.99\t0.1\t1.2\t1.0\tT EH1 N\nNET\tN EH1 T\nTHE\t0.3\tDH IY0\n"
        "THE\t1.0\tDH AH0\n"
    )
    call("--text", "text.txt", "--from", "words.txt", text="THE TENT")
    assert sorted(call.out().read_text().splitlines()) == sorted(written.splitlines())


def test_tones_are_no_stress(call, tmp_path):
    lexicon = "A AA1\nB AA2\nC AA3\n"
    (tmp_path / "words.txt").write_text(lexicon)
    call("--text", "text.txt", "--from", "words.txt", text="A")
    assert call.out().read_text() == lexicon


def test_words_of_sets(call, tmp_path):
    pytest.importorskip("espeakng_loader")
    texts = {"a": ["SHEEP CAR 7", "THE SHEEP"], "b": [None, "MAN"]}
    cuts = {
        part: CutSet.from_cuts(
            MonoCut(
                id=f"{part}{i}",
                start=0.0,
                duration=1.0,
                channel=0,
                supervisions=[
                    SupervisionSegment(f"{part}{i}", "r", 0.0, 1.0, text=text)
                ],
            )
            for i, text in enumerate(some)
        )
        for part, some in texts.items()
    }
    write_manifests(cuts, {}, tmp_path / "cuts")
    both = ("--manifests", "cuts", "--sets", "a", "b", "--espeak")
    assert call(*both)[0] == "5 words: 4 from espeak-ng (en-US), 0 guessed, 1 left out"
    lexicon = parse_pronunciations("lex", call.out().read_bytes())
    assert list(lexicon) == ["SHEEP", "CAR", "MAN", "THE"]
    assert lexicon["CAR"] == [["k", "ɑː", "ɹ"]]  # noqa: RUF001
    call("--manifests", "cuts", "--sets", "a", "--espeak", "en")
    lexicon = parse_pronunciations("lex", call.out().read_bytes())
    assert lexicon["CAR"] == [["k", "ɑː"]]  # noqa: RUF001
    assert "MAN" not in lexicon


@pytest.mark.parametrize("text", ["tea ten", "4 2", "#A"])
def test_nothing_can_be_pronounced(call, text):
    with pytest.raises(InputError, match=r"none of the . words can be pronounced"):
        call("--text", "text.txt", "--from", "words.txt", text=text)
    assert not call.out().exists()


def test_bad_input(call, tmp_path):
    with pytest.raises(InputError, match="there is no word in the texts"):
        call("--text", "text.txt", "--from", "words.txt", text="\n \n")
    with pytest.raises(InputError, match=r"--from: cannot read .*no\.txt: No such"):
        call("--text", "text.txt", "--from", "no.txt", text="TEN")
    with pytest.raises(InputError, match=r"cannot read .*no\.txt"):
        call("--text", "no.txt", "--from", "words.txt")
    (tmp_path / "latin.txt").write_bytes("\xdc".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.txt is not UTF-8"):
        call("--text", "latin.txt", "--from", "words.txt")
    for argv in (
        ["--sets", "a", "--from", "words.txt"],
        ["--text", "text.txt"],
        ["--text", "text.txt", "--from", "words.txt", "--espeak"],
    ):
        with pytest.raises(SystemExit):
            call(*argv)
