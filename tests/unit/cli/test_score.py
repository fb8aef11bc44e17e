"""scripts/score.py's command."""

import pytest

from asrkit.cli.score import main
from asrkit.decoding.scoring import Hypothesis, score
from asrkit.decoding.wer_files import write_decode_files


@pytest.fixture
def greedy(tmp_path):
    folder = tmp_path / "greedy"
    hypotheses = [Hypothesis("u", ["A", "B"], ["A"])]
    write_decode_files(folder, "test", "greedy", hypotheses, score(hypotheses))
    return folder


LINE = "[test-greedy] %WER 50.00% [1 / 2, 0 ins, 1 del, 0 sub ] 95% CI [50.00, 50.00]"


def test_recogs_file(greedy, capsys):
    assert main([str(greedy / "recogs-test.txt")]) == 0
    assert capsys.readouterr().out.splitlines() == [LINE]


def test_trn_files_and_errs(greedy, tmp_path, capsys):
    ref, hyp = greedy / "test.ref.trn", greedy / "test.hyp.trn"
    out = tmp_path / "out"
    assert main(["--ref", str(ref), "--hyp", str(hyp), "--out-dir", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == LINE
    written = (out / "errs-test.txt").read_text()
    assert written == (greedy / "errs-test.txt").read_text()


@pytest.mark.parametrize(
    "argv",
    [[], ["--ref", "a"], ["--hyp", "b"], ["r", "--ref", "a", "--hyp", "b"]],
)
def test_wrong_choice_of_files(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert "--ref and --hyp" in capsys.readouterr().err


def test_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "its 95 % confidence interval" in capsys.readouterr().out.replace("\n", " ")
