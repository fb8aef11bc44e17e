"""What the command line may not set is refused by name."""

import pytest

from asrkit.cli.compose import compose_config
from asrkit.utils.errors import InputError


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "pipeline.stages.train.chunks={size: 3, step: 3}",
            r"^pipeline\.stages\.train\.chunks is null.* DIR/experiment/NAME\.yaml",
        ),
        ("pipeline.stages.train.chunks.size=3", "below a component that is null"),
    ],
)
def test_what_goes_into_a_null_is_refused(override, message, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")  # compose_config sets it for good
    monkeypatch.setattr("sys.argv", ["scripts/train.py", override])
    with pytest.raises(InputError, match=message):
        compose_config()


def test_what_the_message_advises_works(tmp_path, monkeypatch):
    experiment = tmp_path / "experiment/pieces.yaml"
    experiment.parent.mkdir()
    experiment.write_text(
        "# @package _global_\n"
        "pipeline: {stages: {train: {alignments: ./ali, chunks: {size: 3, step: 2}}}}\n"
    )
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")
    monkeypatch.setattr(
        "sys.argv",
        ["scripts/train.py", f"--config-dir={tmp_path}", "experiment=pieces"],
    )
    config = compose_config()
    assert config is not None
    chunks = config.pipeline.stages["train"].chunks
    assert (chunks.size, chunks.step) == (3, 2)
