"""Secrets of the environment and of URLs: no command says them or leaves them."""

import shutil

import pytest

from tests.integration.conftest import run, train
from tests.web import Files, serve

TOKEN = "tok-0123456789"
PASSWORD = "pa55-word"
SECRETS = (TOKEN, PASSWORD)


@pytest.fixture
def host(manifests, tmp_path):
    """Serve shards, one of which is spoiled; return the address."""
    done = run(
        "scripts/shard.py", "--manifests", manifests, "--sets", "train",
        "--out-dir", tmp_path / "shards", "--shard-size", 3,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tar = sorted((tmp_path / "shards" / "train").glob("recording.*.tar"))[0]
    tar.write_bytes(bytes(tar.stat().st_size))

    with serve(Files, tmp_path / "shards") as host:
        yield host


def leaks(folder):
    """List the files below a folder that hold a secret."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(s.encode() in path.read_bytes() for s in SECRETS)
    ]


@pytest.mark.slow
def test_secrets_stay_where_they_are(manifests, host, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", TOKEN)
    exp_dir = tmp_path / "exp"
    user = f"{PASSWORD}-${{oc.env:SECRET_TOKEN}}"
    settings = [
        f"data.shards=['http://{user}@{host}/train']", "num_epochs=1",
        "data.max_left_out=0.9",
    ]  # fmt: skip
    done = train(manifests, exp_dir, *settings)
    assert done.returncode == 0, done.stderr
    # The URL is in all of these, without what is secret.
    shown = f"http://***@{host}/train"
    left_out = exp_dir / "train" / "unreadable_train.tsv"
    for text in (
        done.stderr, left_out.read_text(),
        (exp_dir / "train" / "config.yaml").read_text(),
        next((exp_dir / "log").glob("*.log")).read_text(),
    ):  # fmt: skip
        assert shown in text
    checkpoint = (exp_dir / "train" / "checkpoints" / "last.pt").read_bytes()
    assert shown.encode() in checkpoint
    # Errors name it, too.
    shutil.rmtree(tmp_path / "shards")
    failed = train(manifests, tmp_path / "exp2", *settings)
    assert failed.returncode == 2
    assert f"error: no finished set of shards in {shown}" in failed.stderr
    decoded = run(
        "scripts/decode.py", "--exp-dir", exp_dir, "--sets", "test", "--device", "cpu"
    )
    assert decoded.returncode == 0, decoded.stderr
    output = "".join(d.stdout + d.stderr for d in (done, failed, decoded))
    lines = output.splitlines()
    assert [line for line in lines if any(secret in line for secret in SECRETS)] == []
    assert leaks(tmp_path) == []
