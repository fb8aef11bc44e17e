"""The real command trains a language model, says so, and goes on after a stop."""

import pytest
import torch

from asrkit.pipeline.decode.lm import load_lm
from asrkit.text.load import tokenizer_from_files
from tests.integration.conftest import run

SIZES = {
    "lstm": ["lm.model.num_layers=1", "lm.model.dim=16"],
    "transformer": [
        "lm.model.num_layers=1", "lm.model.dim=16", "lm.model.num_heads=2",
        "lm.model.ff_dim=16",
    ],
}  # fmt: skip


def train_lm(manifests, exp_dir, kind, *arguments, **options):
    return run(
        "scripts/train_lm.py", f"data.manifests={manifests}", f"exp_dir={exp_dir}",
        "tokenizer=char", "data.num_workers=0", "trainer.device=cpu",
        "trainer.log_every=1", "lm.max_tokens=30", "lm.num_epochs=2", f"lm={kind}",
        *SIZES[kind], *arguments, **options,
    )  # fmt: skip


def scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {
        tag: [e.value for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


@pytest.mark.slow
def test_train_again_and_load(manifests, tmp_path):
    text = tmp_path / "more.txt"
    text.write_text("A B C\nC C A\n")
    arguments = (manifests, tmp_path / "exp", "lstm", f"lm.text=[{text}]")
    done = train_lm(*arguments)
    assert done.returncode == 0, done.stderr
    assert "text: 14 sentences" in done.stderr  # 12 transcripts and 2 lines
    folder = tmp_path / "exp" / "lm_lstm"
    for name in ("config.yaml", "done", "checkpoints/best.pt", "checkpoints/last.pt"):
        assert (folder / name).is_file(), name
    curves = scalars(folder)
    assert {
        "loss/train/perplexity",
        "loss/dev/perplexity",
        "loss/dev/word_perplexity",
    } <= set(curves)
    best = torch.load(folder / "checkpoints" / "best.pt", weights_only=True)
    assert best["best"] == pytest.approx(min(curves["loss/dev/perplexity"]))
    tokenizer = tokenizer_from_files(best["tokenizer"])
    model = load_lm(folder, torch.device("cpu"), tokenizer=tokenizer)
    assert model.vocab_size == tokenizer.vocab_size
    changed = train_lm(*arguments, "lm.model.dim=32")
    assert changed.returncode == 2
    assert "lm.model.dim=16, now it is 32" in changed.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", SIZES)
def test_a_stopped_training_ends_with_the_same_weights(manifests, tmp_path, kind):
    # The schedule follows the length, so only a constant one lets a run be cut short.
    constant = "schedule@lm.schedule=constant"
    states = []
    for name, stops in (("one", [7]), ("two", [3, 7])):
        for stop in stops:
            (tmp_path / name / f"lm_{kind}" / "done").unlink(missing_ok=True)
            done = train_lm(
                manifests, tmp_path / name, kind, constant, f"lm.num_updates={stop}"
            )
            assert done.returncode == 0, done.stderr
        again = train_lm(manifests, tmp_path / name, kind, constant, "lm.num_updates=7")
        assert f"stage lm_{kind} is done" in again.stderr
        last = tmp_path / name / f"lm_{kind}" / "checkpoints" / "last.pt"
        states.append(torch.load(last, weights_only=True))
    assert states[0]["update"] == states[1]["update"] == 7
    for part in ("task", "average"):
        for key, value in states[0][part].items():
            assert torch.equal(states[1][part][key], value), key


@pytest.mark.slow
def test_a_stage_of_a_pipeline_learns_the_same(manifests, tmp_path):
    alone = train_lm(manifests, tmp_path / "alone", "lstm", "lm.num_updates=3")
    assert alone.returncode == 0, alone.stderr
    own = "pipeline.stages.lm_lstm"
    staged = run(
        "scripts/train.py", f"data.manifests={manifests}", "tokenizer=char",
        f"exp_dir={tmp_path / 'staged'}", "data.num_workers=0", "trainer.device=cpu",
        f"+lm@{own}=lstm", f"{own}.num_updates=3", f"{own}.max_tokens=30",
        *(setting.replace("lm", own, 1) for setting in SIZES["lstm"]),
        "pipeline.order=[lm_lstm]",
    )  # fmt: skip
    assert staged.returncode == 0, staged.stderr
    assert not (tmp_path / "staged" / "data_report.txt").exists()  # no audio is needed
    first, second = (
        torch.load(
            tmp_path / name / "lm_lstm" / "checkpoints" / "last.pt", weights_only=True
        )
        for name in ("alone", "staged")
    )
    for name, value in first["task"].items():
        assert torch.equal(second["task"][name], value), name


@pytest.mark.slow
def test_two_processes_learn_what_one_does(manifests, tmp_path):
    settings = ["lm.num_updates=5", "lm.model.dropout=0", "lm.max_tokens=12"]
    alone = train_lm(
        manifests, tmp_path / "1", "lstm", *settings, "trainer.accumulate=2"
    )
    assert alone.returncode == 0, alone.stderr
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    both = train_lm(manifests, tmp_path / "2", "lstm", *settings, launcher=launcher)
    assert both.returncode == 0, both.stderr
    states = [
        torch.load(
            tmp_path / n / "lm_lstm" / "checkpoints" / "last.pt", weights_only=True
        )
        for n in ("1", "2")
    ]
    assert states[0]["epochs"] == states[1]["epochs"]
    assert states[0]["best"] == pytest.approx(states[1]["best"], rel=1e-4)
    for name, value in states[0]["task"].items():
        torch.testing.assert_close(states[1]["task"][name], value, rtol=1e-4, atol=1e-5)
