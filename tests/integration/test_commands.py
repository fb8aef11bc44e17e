"""The real commands on a tiny corpus: train, resume, average, decode, transcribe."""

import json

import pytest
import torch

from tests.integration.conftest import run, train, train_and_kill

EPOCHS = "num_epochs=2"


@pytest.fixture(scope="module")
def exp_dir(manifests, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exp") / "run"
    done = train(manifests, folder, EPOCHS)
    assert done.returncode == 0, done.stderr
    assert "differs from the defaults" in done.stderr
    assert "Data report" in done.stderr
    assert "stage train done" in done.stderr
    return folder


def test_the_folder_has_what_the_design_says(exp_dir):
    for name in ("config.yaml", "done", "checkpoints/last.pt", "checkpoints/best.pt"):
        assert (exp_dir / "train" / name).is_file()
    assert list((exp_dir / "train" / "tensorboard").glob("events*"))
    assert (exp_dir / "data_report.txt").is_file()
    assert list((exp_dir / "log").glob("train-*.log"))


def test_tensorboard_holds_what_a_user_looks_for(exp_dir):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(exp_dir / "train" / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    wanted = {
        "loss/train/loss_per_frame", "loss/train/loss_per_token",
        "loss/train/transducer_per_token", "loss/train/ctc_per_token",
        "optim/learning_rate", "optim/gradient_norm",
        "speed/audio_hours_per_hour", "speed/data_wait_percent", "speed/peak_memory_gb",
        "loss/dev/wer", "loss/dev/loss_per_token",
    }  # fmt: skip
    assert wanted <= set(tags["scalars"])
    assert "dev/emissions" in tags["images"]
    assert "dev/hypotheses/text_summary" in tags["tensors"]


def test_the_same_command_again_says_that_it_is_done(exp_dir, manifests):
    done = train(manifests, exp_dir, EPOCHS)
    assert done.returncode == 0
    assert "stage train is done" in done.stderr


@pytest.mark.slow
def test_a_done_stage_with_another_config_names_the_key(exp_dir, manifests):
    done = train(manifests, exp_dir, EPOCHS, "optim.matrix_lr=0.5")
    assert done.returncode == 2
    assert "optim.matrix_lr=0.02, now it is 0.5" in done.stderr
    assert "Traceback" not in done.stderr


def test_average_decode_score_and_transcribe(exp_dir, corpus):
    done = run("scripts/average.py", "--exp-dir", exp_dir, "--last", 2, launcher=["-u"])
    assert done.returncode == 0, done.stderr
    average = torch.load(exp_dir / "average.pt", weights_only=True)
    epochs = [
        torch.load(
            exp_dir / "train" / "checkpoints" / f"epoch-{n}.pt", weights_only=True
        )
        for n in (1, 2)
    ]
    name = "model.joiner.output.weight"
    mean = (epochs[0]["average"][name] + epochs[1]["average"][name]) / 2
    torch.testing.assert_close(average["average"][name], mean)
    done = run("scripts/decode.py", "--exp-dir", exp_dir, "--sets", "test")
    assert done.returncode == 0, done.stderr
    assert "[test-greedy] %WER" in done.stderr
    results = json.loads((exp_dir / "decode" / "results.json").read_text())
    assert results[0]["set"] == "test"
    assert results[0]["words"] == 9
    recogs = exp_dir / "decode" / "greedy" / "recogs-test.txt"
    scored = run("scripts/score.py", recogs)
    assert f"%WER {results[0]['wer']:.2f}%" in scored.stdout + scored.stderr
    done = run(
        "scripts/decode.py", "--exp-dir", exp_dir, "--sets", "dev", "test",
        "decode=ctc_greedy", "decode.unit=CHARACTER",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads((exp_dir / "decode" / "results.json").read_text())
    assert [(r["set"], r["method"]) for r in results] == [
        ("test", "greedy"), ("dev", "ctc_greedy"), ("test", "ctc_greedy"),
    ]  # fmt: skip
    assert results[2]["characters"] == 9
    assert f"[test-ctc_greedy] %CER {results[2]['cer']:.2f}% " in done.stderr
    page = (exp_dir / "decode" / "ctc_greedy" / "report.html").read_text()
    assert '"unit":{"rate":"CER"' in page
    files = sorted(corpus.glob("test/**/*.flac"))
    done = run("scripts/transcribe.py", *files, "--exp-dir", exp_dir)
    assert done.returncode == 0, done.stderr
    lines = recogs.read_text().splitlines()[1::2]
    for line, hyp in zip(done.stdout.splitlines(), lines, strict=True):
        assert str(line.split("\t")[1].split()) == hyp.split("hyp=")[1]


@pytest.mark.slow
def test_language_models_and_beams(exp_dir, manifests, tmp_path):
    lm = tmp_path / "lm.arpa"
    lang_dir = manifests.parent / "lang_char"
    done = run(
        "scripts/train_ngram.py", "--manifests", manifests, "--sets", "train",
        "--lang-dir", lang_dir, "--order", 2, "--out", lm,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    decode = ["scripts/decode.py", "--exp-dir", exp_dir, "--sets", "test"]
    decode += ["--method", "beam_search", "--beam", 4, "--nbest", 3, "--lm", lm]
    done = run(*decode)
    assert done.returncode == 0, done.stderr
    assert "[test-beam_search_4_lm] %WER" in done.stderr
    nbest = exp_dir / "decode" / "beam_search_4_lm" / "nbest-test.jsonl"
    alone = nbest.read_text()
    for line in map(json.loads, alone.splitlines()):
        scores = [one["score"] for one in line["nbest"]]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
    done = run(*decode, processes=2)
    assert done.returncode == 0, done.stderr
    assert nbest.read_text() == alone
    done = run("scripts/tune_decode.py", "--exp-dir", exp_dir, "--lm", lm, "--beam", 4)
    assert done.returncode == 0, done.stderr
    assert "settings tried" in done.stdout
    assert (exp_dir / "decode" / "tune" / "tune.json").is_file()
    command = done.stdout.splitlines()[-1].removeprefix("use: ").split()
    done = run(*command)
    assert done.returncode == 0, done.stderr


# Criteria that are others later on: two views that grow alike, a band that widens.
CHANGING = [
    "+loss.weights.cr_ctc=0.2", "loss.cr_ramp=0.5", "+loss.weights.inter_ctc=0.3",
    "loss.ctc_first=0.1", "loss.band.radii=[0,2]", "loss.band.source=CTC",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        [],
        CHANGING,
        ["joiner=tdt", "loss.omega=0.5"],
        ["encoder.subsampling=8"],
    ],
    ids=["default", "changing", "durations", "eightfold"],
)
def test_a_killed_run_goes_on_and_ends_with_the_same_weights(
    manifests, tmp_path, changes
):
    settings = ["num_epochs=12", "trainer.validate_every=12", *changes]
    whole = train(manifests, tmp_path / "whole", *settings)
    assert whole.returncode == 0, whole.stderr
    exp_dir = tmp_path / "killed"
    moment = "train/checkpoints/epoch-2.pt"
    train_and_kill(manifests, exp_dir, moment, *settings)
    resumed = train(manifests, exp_dir, *settings)
    assert resumed.returncode == 0, resumed.stderr
    assert "going on from" in resumed.stderr
    states = [
        torch.load(p / "train" / "checkpoints" / "last.pt", weights_only=True)
        for p in (tmp_path / "whole", exp_dir)
    ]
    for name, value in states[0]["task"].items():
        assert torch.equal(states[1]["task"][name], value), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["loss=ful"], "Did you mean 'full'?"),
        pytest.param(["loss=ctc"], "choose decode=ctc_greedy", marks=pytest.mark.slow),
        pytest.param(
            ["data.train=[train-9]"],
            "librispeech_cuts_train-9.jsonl.gz",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_mistake_gets_one_clear_message(manifests, tmp_path, arguments, message):
    done = train(manifests, tmp_path, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "Error executing job" not in done.stderr  # Hydra's


@pytest.mark.slow
def test_two_processes_learn_what_one_does(manifests, tmp_path):
    settings = [
        "num_updates=6", "encoder.dropout=0", "predictor.dropout=0",
        "trainer.log_every=1", "data.max_duration=4",
    ]  # fmt: skip
    alone = train(manifests, tmp_path / "1", *settings, "trainer.accumulate=2")
    assert alone.returncode == 0, alone.stderr
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    both = train(manifests, tmp_path / "2", *settings, launcher=launcher)
    assert both.returncode == 0, both.stderr
    states = [
        torch.load(
            tmp_path / n / "train" / "checkpoints" / "last.pt", weights_only=True
        )
        for n in ("1", "2")
    ]
    assert states[0]["epochs"] == states[1]["epochs"]
    for name, value in states[0]["task"].items():
        torch.testing.assert_close(states[1]["task"][name], value, rtol=1e-4, atol=1e-5)
