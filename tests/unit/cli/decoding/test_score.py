"""scripts/score.py's command."""

import json
import re

import pytest

from asrkit.cli.decoding.score import main
from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.scoring.score import Hypothesis, score
from asrkit.decoding.scoring.wer_files import (
    results_entry,
    update_results,
    write_decode_files,
)
from asrkit.utils.errors import InputError
from tests.meta.test_repository import ROOT


@pytest.fixture
def greedy(tmp_path):
    folder = tmp_path / "greedy"
    hypotheses = [Hypothesis("u", ["A", "B"], ["A"])]
    write_decode_files(folder, "test", "greedy", hypotheses, score(hypotheses))
    return folder


LINE = "[test-greedy] %WER 50.00% [1 / 2, 0 ins, 1 del, 0 sub ] 95% CI [50.00, 50.00]"
MORE = "  CER 66.67 %, 0 of 1 hypotheses empty, interval over utterances"


def test_recogs_file(greedy, capsys):
    assert main([str(greedy / "recogs-test.txt")]) == 0
    assert capsys.readouterr().out.splitlines() == [LINE, MORE]


def test_trn_files_and_errs(greedy, tmp_path, capsys):
    ref, hyp = greedy / "test.ref.trn", greedy / "test.hyp.trn"
    out = tmp_path / "out"
    assert main(["--ref", str(ref), "--hyp", str(hyp), "--out-dir", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == LINE
    for name in ("errs-test.txt", "groups-test.tsv"):
        assert (out / name).read_text() == (greedy / name).read_text()


def test_speakers_durations_and_speed_of_our_own_decode(tmp_path, capsys):
    folder = tmp_path / "greedy"
    hypotheses = [
        Hypothesis(f"{s}-{n}", ["a"] * 9, ["a"] * (9 - s % 2), f"spk{s}", 2.5)
        for s in range(8)
        for n in range(20)
    ]
    result = score(hypotheses)
    write_decode_files(folder, "dev", "greedy", hypotheses, result)
    entry = results_entry("dev", "greedy", result, 45.6, 700.0)
    update_results(tmp_path / "results.json", entry)
    assert main([str(folder / "recogs-dev.txt"), "--details"]) == 0
    out = capsys.readouterr().out
    low, high = result.ci95
    line = f"95% CI [{low:.2f}, {high:.2f}] RTFx 46 memory 700 MiB"
    assert out.splitlines()[0].endswith(line)
    assert "interval over speakers" in out
    assert re.search(r"spk1 +11\.11 +20 +180", out)
    assert re.search(r"2-5 s +5\.56 +160", out)
    assert re.search(r"most frequent deletions\n +80  a\n", out)


def test_compare_two_toolkits_on_a_page(greedy, tmp_path, capsys):
    other = tmp_path / "nemo" / "manifest.json"
    other.parent.mkdir()
    fields = {"audio_filepath": "u", "text": "a b.", "pred_text": "A, b", "duration": 1}
    other.write_text(json.dumps(fields))
    page, out = tmp_path / "report.html", tmp_path / "out"
    argv = [str(greedy / "recogs-test.txt"), "--compare", str(other)]
    argv += ["--normalize", "librispeech", "--html", str(page), "--out-dir", str(out)]
    assert main(argv) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == LINE
    assert any(line.startswith("[manifest-nemo] %WER 0.00%") for line in lines)
    assert any(
        line.startswith("[test] nemo minus greedy: -50.00 % WER") for line in lines
    )
    assert lines[-1] == f"wrote {page}"
    text = page.read_text()
    assert "Texts normalized: librispeech." in text
    assert '"method":"nemo"' in text
    assert (out / "compared" / "errs-manifest.txt").exists()
    with pytest.raises(InputError, match="different references in 1 utterances"):
        main(argv[:3])


def test_systems_of_one_folder_go_by_their_paths(greedy, capsys):
    path = str(greedy / "recogs-test.txt")
    assert main([path, "--compare", path]) == 0
    assert f"[test] {path} minus {path}: +0.00 %" in capsys.readouterr().out


def test_missing_utterances(tmp_path, capsys):
    ref, hyp = tmp_path / "text", tmp_path / "hyp.txt"
    ref.write_text("u1 A B\nu2 C\n")
    hyp.write_text("u1 A B\n")
    argv = ["--ref", str(ref), "--hyp", str(hyp)]
    with pytest.raises(InputError, match=r"lacks 1 of 2 .*: u2; .*--missing-as-empty"):
        main(argv)
    assert main([*argv, "--missing-as-empty"]) == 0
    out = capsys.readouterr().out
    assert "%WER 33.33% [1 / 3, 0 ins, 1 del, 0 sub ]" in out
    assert "1 of 2 hypotheses empty" in out


def as_sclite(folder, capsys, *options):
    """Return the lines about the issue's five utterances."""
    pairs = [
        ("i (uh) think so", "i think so"),
        ("we { can not / cannot } go", "we cannot go"),
        ("she said { hmm / @ } yes", "she said yes"),
        ("th- the end", "the end"),
        ("ONE two three", "one TWO three"),
    ]
    for side, name in enumerate(("ref.trn", "hyp.trn")):
        lines = [f"{pair[side]} (s-{number})\n" for number, pair in enumerate(pairs)]
        (folder / name).write_text("".join(lines))
    files = ["--ref", str(folder / "ref.trn"), "--hyp", str(folder / "hyp.trn")]
    assert main([*files, *options]) == 0
    return capsys.readouterr().out.splitlines()


def test_scored_as_sclite(tmp_path, capsys):
    # 12.5 %, 6.3 with -D: sclite 2.10.
    with pytest.raises(InputError, match="has alternatives"):
        as_sclite(tmp_path, capsys)
    line, _, *notes = as_sclite(tmp_path, capsys, "--sclite")
    assert "%WER 12.50% [2 / 16, 0 ins, 2 del, 0 sub ]" in line
    assert notes == [
        "  hint: errors at words such as (uh), which may lack with -D: 1",
        "  hint: errors at fragments such as th-, which fit more with -F: 1",
    ]
    line, *_ = as_sclite(tmp_path, capsys, "--sclite", "-D", "-F")
    assert "%WER 6.25% [1 / 16, 0 ins, 1 del, 0 sub ]" in line
    line, _, *notes = as_sclite(tmp_path, capsys, "--sclite", "-D", "-F", "-s")
    assert "%WER 18.75% [3 / 16, 0 ins, 1 del, 2 sub ]" in line
    assert notes == ["  hint: 2 of 3 errors vanish when case is ignored"]


def test_example_of_the_documentation(tmp_path, capsys):
    hub5 = ROOT / "docs" / "hub5"
    argv = ["--sclite", "-D", "-F", "--glm", str(hub5 / "en.glm"), "-dh"]
    argv += ["--ref", str(hub5 / "ref.stm"), "--hyp", str(hub5 / "hyp.ctm")]
    assert main([*argv, "--out-dir", str(tmp_path), "--html", str(tmp_path / "x")]) == 0
    out = capsys.readouterr().out
    shown = (ROOT / "docs" / "decoding.md").read_text("utf-8")
    until = out.index("wrote")
    assert out[:until].strip() in shown
    assert (
        "Switchboard\t4\t24\t0\t1\t1\t8.33" in (tmp_path / "groups-hyp.tsv").read_text()
    )
    assert "Scored as sclite does." in (tmp_path / "x").read_text("utf-8")


def test_systems_scored_as_sclite_are_compared(tmp_path, capsys):
    as_sclite(tmp_path, capsys, "--sclite")
    hyp = str(tmp_path / "hyp.trn")
    argv = ["--ref", str(tmp_path / "ref.trn"), "--hyp", hyp, "--sclite"]
    assert main([*argv, "--compare", hyp]) == 0
    assert ": +0.00 % WER absolute" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["r", "-D", "--glm", "x"], "-D, --glm: for --sclite only"),
        (["r", "--sclite", "-dh"], "-dh is csrfilt.sh's and goes with --glm"),
        (["r", "--sclite", "--utt2spk", "x"], "no --normalize, --utt2spk, --utt2dur"),
        (["r", "--sclite", "--unit", "word"], "rules of its own"),
        ([], "--ref and --hyp"),
        (["--ref", "a"], "--ref and --hyp"),
        (["--hyp", "b"], "--ref and --hyp"),
        (["r", "--ref", "a", "--hyp", "b"], "--ref and --hyp"),
        (["r", "--compare", "a", "b"], "--compare needs a file for each of the 1"),
        (["a/r", "b/r", "--out-dir", "x"], "--out-dir: two files are of one set"),
    ],
)
def test_wrong_choice_of_files(argv, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "95 % confidence interval" in " ".join(capsys.readouterr().out.split())


def test_characters_are_counted_where_the_run_or_the_user_says_so(tmp_path, capsys):
    folder = tmp_path / "greedy"
    texts = [Hypothesis("u", ["今天", "OK"], ["今", "天OX"])]
    write_decode_files(folder, "zh", "greedy", texts, score(texts))
    recogs, page = str(folder / "recogs-zh.txt"), tmp_path / "report.html"

    def first_line(*options):
        assert main([recogs, *options]) == 0
        return capsys.readouterr().out.splitlines()[0]

    assert first_line().startswith("[zh-greedy] %WER 100.00% [2 / 2,")
    assert first_line("--unit", "character").startswith(
        "[zh-greedy] %CER 25.00% [1 / 4,"
    )
    assert first_line("--unit", "mixed").startswith("[zh-greedy] %MER 33.33% [1 / 3,")
    counted = score(texts, ErrorUnit.CHARACTER)
    entry = results_entry("zh", "greedy", counted, 7.0)
    update_results(tmp_path / "results.json", entry)
    assert first_line("--html", str(page)).startswith("[zh-greedy] %CER 25.00%")
    assert '"unit":{"rate":"CER","one":"character"' in page.read_text()
    assert first_line("--unit", "word").startswith("[zh-greedy] %WER 100.00%")
    assert main([recogs, "--details"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"characters +CER % +utts +characters", out)
    assert "hypotheses empty" in out
    assert "CER 25.00 %," not in out


def test_systems_are_compared_in_one_unit(greedy, tmp_path):
    texts = [Hypothesis("u", ["A", "B"], ["A", "B"])]
    write_decode_files(tmp_path / "beam", "test", "beam", texts, score(texts))
    entry = results_entry("test", "beam", score(texts, ErrorUnit.CHARACTER), 1.0)
    update_results(tmp_path / "results.json", entry)
    argv = [str(greedy / "recogs-test.txt"), "--compare"]
    argv += [str(tmp_path / "beam" / "recogs-test.txt")]
    with pytest.raises(InputError, match=r"words are counted and .* characters"):
        main(argv)
    assert main([*argv, "--unit", "mixed"]) == 0
