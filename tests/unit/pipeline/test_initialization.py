"""Weights of another run: what is named, and the timing head where it fits."""

import torch

from asrkit.losses.fused import FusedLossConfig
from asrkit.pipeline.stages.initialization import InitConfig, initialize
from tests.unit.pipeline.tasks.test_asr_task import make_task


def checkpoint(path, weights):
    state = {"average": {f"model.{name}": t for name, t in weights.items()}}
    torch.save(state, path)
    return InitConfig(path=str(path), modules=["encoder"])


def other_model():
    """Return a model none of whose weights is a fresh one's."""
    model = make_task(FusedLossConfig()).model
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5)
    return model


def taken(model):
    """Return the parts whose weights are those of `other_model`."""
    parts = dict(model.named_children()).items()
    return {n for n, part in parts if all((p == 0.5).all() for p in part.parameters())}


def test_the_timing_head_comes_along_where_it_fits(tmp_path):
    weights = other_model().state_dict()
    model = make_task(FusedLossConfig()).model
    init = checkpoint(tmp_path / "new.pt", weights)
    assert initialize(model, init, tmp_path)
    assert taken(model) == {"encoder", "timing_head"}
    without = {k: v for k, v in weights.items() if "timing_head" not in k}
    other = {**weights, "timing_head.output.bias": torch.zeros(99)}
    for name, changed in (("old.pt", without), ("labels.pt", other)):
        model = make_task(FusedLossConfig()).model
        initialize(model, checkpoint(tmp_path / name, changed), tmp_path)
        assert taken(model) == {"encoder"}
