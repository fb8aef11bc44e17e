"""The memory planner against the memory that real processes take."""

import json
import logging
import random
import re

import numpy as np
import pytest
import soundfile
import torch
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

from asrkit.cli.training.plan_memory import first_training
from asrkit.pipeline.memory.auto import make_planner
from asrkit.pipeline.memory.passes import Passes
from asrkit.pipeline.memory.shapes import read_utterances
from tests.integration.conftest import run, train, train_and_kill
from tests.unit.pipeline.compose import make

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.slow

MODEL = [
    "tokenizer=char", "augment=none", "encoder=conformer_2m", "encoder.num_layers=2",
    "joiner.dim=128", "predictor.dim=128", "trainer.device=cpu", "data.num_workers=0",
]  # fmt: skip
SMALL = ["encoder.dim=96", "encoder.ff_dim=192"]
LARGE = ["encoder.dim=192", "encoder.ff_dim=384"]
MEASURED, PREDICTED = (10.0, 20.0, 40.0), (30.0, 70.0)


@pytest.fixture(scope="module")
def long_corpus(tmp_path_factory):
    """Cut one recording into 1200 utterances; return the folder of the manifests."""
    folder = tmp_path_factory.mktemp("long") / "manifests"
    folder.mkdir()
    noise = 0.1 * np.random.default_rng(0).standard_normal(16000 * 9)
    soundfile.write(folder / "noise.flac", noise.clip(-1, 1), 16000)
    recording = Recording.from_file(folder / "noise.flac")
    rng = random.Random(0)
    for part, count in (("train", 1200), ("dev", 6), ("test", 2)):
        cuts = []
        for index in range(count):
            seconds = round(min(8.0, max(1.0, rng.gauss(5, 2))), 2)
            letters = rng.choices("ABCDEFGHIJKLM ", k=int(seconds * rng.uniform(9, 15)))
            text = "".join(letters).strip() or "A"
            name = f"{part}-{index}"
            said = SupervisionSegment(name, name, 0.0, seconds, text=text, speaker="s")
            cuts.append(
                MonoCut(
                    name, start=0.0, duration=seconds, channel=0, recording=recording,
                    supervisions=[said],
                )
            )  # fmt: skip
        path = folder / f"librispeech_cuts_{part}.jsonl.gz"
        CutSet.from_cuts(cuts).to_file(path)
    return folder


@pytest.mark.parametrize(
    ("loss", "encoder"),
    [
        ("full", SMALL), ("pruned", LARGE), ("sampled", SMALL),
        ("sample_wise", LARGE), ("fused", LARGE),
    ],
)  # fmt: skip
def test_predicted_peaks_are_near_those_of_a_fresh_process(
    long_corpus, loss, encoder, monkeypatch
):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    overrides = [f"data.manifests={long_corpus}", *MODEL, *encoder, f"loss={loss}"]
    stage = first_training(make(*overrides))
    utterances = read_utterances(stage)
    with Passes(stage) as passes:
        planner = make_planner(stage, utterances, passes)
        for seconds in MEASURED:
            planner.measure(seconds)
        predicted = [planner.predict(seconds) for seconds in PREDICTED]
    with Passes(stage) as passes:
        fresh = make_planner(stage, utterances, passes)
        found = [fresh.measure(seconds) for seconds in PREDICTED]
    for seconds, guess, peak in zip(PREDICTED, predicted, found, strict=True):
        size = "large" if encoder is LARGE else "small"
        logger.info("%s %s %g s: %g %g", loss, size, seconds, guess / 1e9, peak / 1e9)
    assert predicted == pytest.approx(found, rel=0.15)


@pytest.mark.parametrize(("loss", "limit"), [("full", 1.2), ("fused", 1.0)])
def test_training_stays_within_a_limit_and_uses_it(long_corpus, tmp_path, loss, limit):
    # In a Python of its own: of a fork, what it shares with its parent does not count.
    done = run(
        "scripts/train.py", f"data.manifests={long_corpus}", f"exp_dir={tmp_path}",
        *MODEL, *SMALL, f"loss={loss}", "data.max_duration=auto", "num_updates=40",
        f"data.memory_gb={limit}", launcher=["-u"],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    peak = json.loads((tmp_path / "train" / "done").read_text())["peak_memory_gb"]
    decision = json.loads((tmp_path / "train" / "max_duration.json").read_text())
    logger.info("%s %g s: %g of %g", loss, decision["max_duration"], peak, limit)
    assert 0.85 * limit <= peak <= limit
    assert peak == pytest.approx(decision["expected_gb"], rel=0.1)


def test_a_resumed_run_has_the_batches_that_it_had(manifests, tmp_path):
    auto = ["data.max_duration=auto", "trainer.save_every_updates=2", "num_updates=12"]
    train_and_kill(manifests, tmp_path, "train/checkpoints/last.pt", *auto)
    path = tmp_path / "train" / "max_duration.json"
    before = path.read_text()
    done = train(manifests, tmp_path, *auto)
    assert done.returncode == 0, done.stderr
    assert "seconds, as decided in" in done.stderr
    assert "going on from" in done.stderr
    assert path.read_text() == before


def test_several_processes_take_what_the_first_decides(manifests, tmp_path):
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node=2"]
    auto = ["data.max_duration=auto", "num_updates=4"]
    done = train(manifests, tmp_path, *auto, launcher=launcher)
    assert done.returncode == 0, done.stderr
    assert len(re.findall("data.max_duration is ", done.stderr)) == 1


def test_too_little_memory_is_one_clear_message(manifests, tmp_path):
    auto = ["data.max_duration=auto", "data.memory_gb=0.3"]
    done = train(manifests, tmp_path, *auto)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: data.memory_gb gives 0.30 GB, but")


def test_the_plan_compares_losses_and_takes_one(manifests):
    done = run(
        "scripts/plan_memory.py", f"data.manifests={manifests}", *MODEL, *SMALL,
        "data.memory_gb=1.0",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    names = [line.split()[0] for line in lines if line.startswith("loss=")]
    assert names == [
        f"loss={name}"
        for name in ("fused", "full", "sample_wise", "pruned", "sampled", "ctc")
    ]
    assert re.match(r"take loss=\w+ data.max_duration=\d", lines[-1])
