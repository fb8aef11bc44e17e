"""A corpus of a few utterances of tones, one tone a letter, in LibriSpeech layout."""

import os
import time

import numpy as np
import pytest
import soundfile

from tests.integration.commands import FORKS, ONE_THREAD, ROOT, execute, run

TONES = {"A": 300.0, "B": 900.0, "C": 2000.0}
SETTINGS = [
    "tokenizer=char", "augment=none", "encoder=conformer_2m", "encoder.num_layers=1",
    "encoder.dim=32", "encoder.ff_dim=32", "predictor.dim=16", "joiner.dim=16",
    "optim=muon", "data.max_duration=6", "data.num_workers=0", "data.num_buckets=2",
    "trainer.log_every=2", "trainer.device=cpu",
]  # fmt: skip


def speak(text, rng):
    """Return half a second of tone for each letter."""
    time = np.arange(8000) / 16000
    tones = [np.sin(2 * np.pi * TONES[letter] * time) for letter in text.split()]
    return 0.3 * np.concatenate(tones) + 0.01 * rng.standard_normal(8000 * len(tones))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Write train, dev and test; return the folder."""
    folder = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    for speaker, (part, count) in enumerate(
        [("train", 12), ("dev", 3), ("test", 3)], 1
    ):
        chapter = folder / part / str(speaker) / "1"
        chapter.mkdir(parents=True)
        lines = []
        for index in range(count):
            text = " ".join(rng.choice(list(TONES), size=2 + index % 3))
            name = f"{speaker}-1-{index:04}"
            soundfile.write(chapter / f"{name}.flac", speak(text, rng), 16000)
            lines.append(f"{name} {text}\n")
        (chapter / f"{speaker}-1.trans.txt").write_text("".join(lines))
    return folder


@pytest.fixture(scope="session")
def manifests(corpus, tmp_path_factory):
    """Make manifests with the real command; return their folder."""
    out = tmp_path_factory.mktemp("data") / "manifests"
    done = run("scripts/prepare.py", "--librispeech", corpus, "--out-dir", out)
    assert done.returncode == 0, done.stderr
    return out


def train(manifests, exp_dir, *arguments, **options):
    """Train with tiny settings."""
    return run(
        "scripts/train.py", f"data.manifests={manifests}", f"exp_dir={exp_dir}",
        *SETTINGS, *arguments, **options,
    )  # fmt: skip


def train_and_kill(manifests, exp_dir, moment, *arguments):
    """Train with tiny settings; kill it as soon as the file `moment` is there."""
    argv = [
        str(ROOT / "scripts/train.py"), f"data.manifests={manifests}",
        f"exp_dir={exp_dir}", *SETTINGS, *arguments,
    ]  # fmt: skip
    environment = {**os.environ, **ONE_THREAD}
    log = exp_dir.with_suffix(".killed.log")
    process = FORKS.Process(
        target=execute, args=(argv, environment, os.getcwd(), [log, log])
    )
    process.start()
    while not (exp_dir / moment).exists() and process.is_alive():
        time.sleep(0.01)
    process.kill()
    process.join()
    stage = moment.split("/")[0]
    assert not (exp_dir / stage / "done").exists()
