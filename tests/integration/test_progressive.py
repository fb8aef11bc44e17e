"""The progressive pipeline by the real command, killed in every stage."""

import json
import shutil

import pytest
import torch

from asrkit.data.attached.rows import read_rows
from asrkit.pipeline.experiment import find_checkpoint
from tests.integration.conftest import train, train_and_kill

pytestmark = pytest.mark.slow

STAGES = ["ctc", "align", "viterbi", "full_sum", "nbest", "mbr"]
# Checkpoints after each update: killed when the first is there, a stage is not over.
PROGRESSIVE = ["pipeline=frame_wise", "num_updates=20"]
PROGRESSIVE += ["trainer.save_every_updates=1", "pipeline.stages.nbest.share=1"]
# What has learnt for seconds gets most wrong.
WHATEVER_WER = [f"pipeline.stages.{one}.only_if.stage=null" for one in ("nbest", "mbr")]
PROGRESSIVE += WHATEVER_WER
# The full sum after CTC, which ends when its alignments have come to rest.
HAND_OVER = [
    "pipeline=frame_wise", "num_updates=60", "pipeline.order=[ctc,full_sum]",
    "pipeline.stages.full_sum.init={stage:ctc,modules:[encoder,ctc_head]}",
    "pipeline.stages.full_sum.takes_rest_of=[ctc]",
    "pipeline.stages.ctc.set.num_updates=18",
    "pipeline.stages.full_sum.set.num_updates=30",
    "pipeline.stages.ctc.until.scalar=labels_moved",
    "pipeline.stages.ctc.until.improvement=0.99",
    "pipeline.stages.ctc.until.patience=1", "pipeline.stages.ctc.until.least=0",
    "pipeline.stages.ctc.set.trainer.validate_every_updates=3",
]  # fmt: skip


@pytest.fixture(scope="module")
def exp_dir(manifests, tmp_path_factory):
    folder = tmp_path_factory.mktemp("progressive") / "run"
    done = train(manifests, folder, *PROGRESSIVE)
    assert done.returncode == 0, done.stderr
    assert "encoder: " in done.stderr
    assert "random start: predictor, joiner" in done.stderr
    return folder


def weights(exp_dir, stage):
    path = exp_dir / stage / "checkpoints" / "last.pt"
    return torch.load(path, weights_only=True)["task"]


def test_every_stage_leaves_what_the_next_one_takes(exp_dir, manifests):
    for name in STAGES:
        facts = json.loads((exp_dir / name / "done").read_text())
        assert facts["seconds"] > 0
        assert ("wer_before" in facts) == (name == "mbr")
        assert (exp_dir / name / "config.yaml").is_file()
        assert list((exp_dir / name).glob("tensorboard/events*")) or name == "nbest"
    aligned = list(read_rows(exp_dir / "align" / "alignments"))
    for row in aligned:
        frames = row["frames"]
        assert frames == sorted(set(frames))  # one label a frame
        assert all(0 <= frame < row["num_frames"] for frame in frames)
    assert (exp_dir / "align" / "alignments.png").is_file()
    assert "utterances aligned" in (exp_dir / "align" / "report.txt").read_text()
    lists = list(read_rows(exp_dir / "nbest" / "nbest"))
    assert [row["id"] for row in lists] == [row["id"] for row in aligned]
    for row, other in zip(lists, aligned, strict=True):
        assert row["tokens"][0] == other["tokens"]  # the reference
        assert row["risks"][0] == 0
        assert 1 <= len(row["tokens"]) == len(row["lm_scores"]) <= 4
    # The heads of the viterbi stage are gone in the next one.
    assert any(name.startswith("criterion") for name in weights(exp_dir, "viterbi"))
    assert not any(name.startswith("criterion") for name in weights(exp_dir, "mbr"))
    again = train(manifests, exp_dir, *PROGRESSIVE)
    assert again.returncode == 0
    assert [f"stage {name} is done" in again.stderr for name in STAGES] == [True] * 6


def test_without_frame_wise_training(manifests, tmp_path):
    settings = ["pipeline=progressive", "num_updates=20"]
    run, stages = tmp_path / "run", ["ctc", "full_sum", "nbest", "mbr"]
    done = train(manifests, run, *settings)
    assert done.returncode == 0, done.stderr
    facts = [json.loads((run / name / "done").read_text()) for name in stages]
    assert facts[1]["wer"] > 30
    assert ["left_out" in one for one in facts] == [False, False, True, True]
    assert "of stage full_sum is above 30" in done.stderr
    assert find_checkpoint(run) == run / "full_sum" / "checkpoints" / "best.pt"
    # Who wants it all the same is told that the two are done, and how to do them.
    again = train(manifests, run, *settings, *WHATEVER_WER)
    assert again.returncode == 2
    assert "only_if" in again.stderr
    for name in ("nbest", "mbr"):
        shutil.rmtree(run / name)
    again = train(manifests, run, *settings, *WHATEVER_WER)
    assert again.returncode == 0, again.stderr
    assert json.loads((run / "mbr" / "done").read_text())["wer_before"] > 30
    # A quarter of the 12 utterances of train, and the 3 of dev.
    lists = list(read_rows(tmp_path / "run" / "nbest" / "nbest"))
    assert len(lists) == 3 + 3
    assert "left out 9 of train, an earlier stage has nothing for them" in again.stderr


def test_a_changed_key_of_a_done_stage_is_refused_by_name(exp_dir, manifests):
    settings = [*PROGRESSIVE, "pipeline.stages.viterbi.set.loss.label_boost=1"]
    done = train(manifests, exp_dir, *settings)
    assert done.returncode == 2
    assert "viterbi was trained with" in done.stderr
    assert "label_boost=0.0, now it is 1.0" in done.stderr


def test_a_stage_alone_starts_from_a_checkpoint(exp_dir, manifests, tmp_path):
    own = "pipeline.stages.full_sum"
    done = train(
        manifests, tmp_path / "alone", *PROGRESSIVE, "pipeline.order=[full_sum]",
        f"{own}.init.stage=null",
        f"{own}.init.path={exp_dir / 'viterbi' / 'checkpoints' / 'best.pt'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = (
        weights(exp_dir, "full_sum"),
        weights(tmp_path / "alone", "full_sum"),
    )
    for name, value in first.items():
        assert torch.equal(second[name], value), name


@pytest.mark.parametrize(
    "moment",
    ["ctc/checkpoints/last.pt", "align/config.yaml", "viterbi/checkpoints/last.pt",
     "full_sum/config.yaml", "nbest/config.yaml", "mbr/config.yaml",
     "mbr/checkpoints/best.pt"],
)  # fmt: skip
def test_killed_in_any_stage_it_ends_the_same(exp_dir, manifests, tmp_path, moment):
    folder = tmp_path / "killed"
    train_and_kill(manifests, folder, moment, *PROGRESSIVE)
    done = train(manifests, folder, *PROGRESSIVE)
    assert done.returncode == 0, done.stderr
    expected = weights(exp_dir, "mbr")
    for name, value in weights(folder, "mbr").items():
        assert torch.equal(expected[name], value), name


@pytest.mark.parametrize("moment", ["full_sum/checkpoints/last.pt", "mbr/config.yaml"])
def test_killed_without_frame_wise_training(manifests, tmp_path, moment):
    settings = ["pipeline=progressive", "num_updates=20", *WHATEVER_WER]
    settings += ["trainer.save_every_updates=1"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train_and_kill(manifests, killed, moment, *settings)
    for folder in (whole, killed):
        done = train(manifests, folder, *settings)
        assert done.returncode == 0, done.stderr
    assert "is done: " in done.stderr or "going on from" in done.stderr
    expected = weights(whole, "mbr")
    for name, value in weights(killed, "mbr").items():
        assert torch.equal(expected[name], value), name


def test_lists_of_the_current_model(manifests, tmp_path):
    settings = ["loss=mwer", "num_updates=3", "loss.weights.ctc=0.1"]
    settings += ["decode=modified_beam_search"]
    done = train(manifests, tmp_path / "mwer", *settings)
    assert done.returncode == 0, done.stderr
    assert "stage train done" in done.stderr


def test_two_processes_share_the_shards(exp_dir, manifests, tmp_path):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    settings = [*PROGRESSIVE, "pipeline.order=[align]"]
    settings += [f"pipeline.stages.align.source={exp_dir}/ctc/checkpoints/best.pt"]
    done = train(manifests, tmp_path / "two", *settings, launcher=launcher)
    assert done.returncode == 0, done.stderr
    one, two = (
        folder / "align" / "alignments" for folder in (exp_dir, tmp_path / "two")
    )
    assert list(read_rows(one)) == list(read_rows(two))


def facts_of(exp_dir, stage):
    return json.loads((exp_dir / stage / "done").read_text())


def assert_handed_over(exp_dir):
    ctc, full_sum = (facts_of(exp_dir, stage) for stage in ("ctc", "full_sum"))
    assert ctc["ended_by"] == "until"
    assert ctc["updates"] + ctc["unspent_updates"] == 18
    assert 0 < ctc["updates"] < 18
    assert full_sum["updates"] == 30 + ctc["unspent_updates"]


def test_a_stage_that_ends_early_leaves_the_rest_to_another(manifests, tmp_path):
    whole = tmp_path / "whole"
    done = train(manifests, whole, *HAND_OVER)
    assert done.returncode == 0, done.stderr
    assert "ended by until, " in done.stderr
    left = facts_of(whole, "ctc")["unspent_updates"]
    assert f"stage ctc has left {left} updates" in done.stderr
    assert_handed_over(whole)
    for moment in ("ctc/checkpoints/best.pt", "full_sum/config.yaml"):
        folder = tmp_path / moment.split("/")[0]
        train_and_kill(manifests, folder, moment, *HAND_OVER)
        done = train(manifests, folder, *HAND_OVER)
        assert done.returncode == 0, done.stderr
        for stage in ("ctc", "full_sum"):
            expected = weights(whole, stage)
            for name, value in weights(folder, stage).items():
                assert torch.equal(expected[name], value), (stage, name)


def test_two_processes_end_a_stage_together(manifests, tmp_path):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = train(manifests, tmp_path / "two", *HAND_OVER, launcher=launcher)
    assert done.returncode == 0, done.stderr
    assert_handed_over(tmp_path / "two")


def test_a_misspelt_scalar_ends_the_run_before_it_begins(manifests, tmp_path):
    settings = [*HAND_OVER, "pipeline.stages.ctc.until.scalar=lables_moved"]
    done = train(manifests, tmp_path / "run", *settings)
    assert done.returncode == 2
    assert "stage ctc: until.scalar: no 'lables_moved' here" in done.stderr
    assert not (tmp_path / "run" / "ctc" / "checkpoints").exists()


@pytest.mark.slow
def test_the_pipeline_is_chosen_and_kept(manifests, tmp_path):
    exp_dir, settings = tmp_path / "auto", ["pipeline=auto", "num_updates=2"]
    first = train(manifests, exp_dir, *settings)
    assert first.returncode == 0, first.stderr
    assert "pipeline=auto: single, since the full sum makes" in first.stderr
    assert (exp_dir / "train" / "done").is_file()
    again = train(manifests, exp_dir, *settings)
    assert again.returncode == 0, again.stderr
    assert f"single, as decided in {exp_dir}" in again.stderr
    assert "stage train is done" in again.stderr
    several = ["seed=1,2", f"hydra.sweep.dir={tmp_path}/sweep", "-m"]
    sweep = train(manifests, tmp_path / "several", *settings, *several)
    assert "pipeline=auto does not go with -m" in sweep.stderr
