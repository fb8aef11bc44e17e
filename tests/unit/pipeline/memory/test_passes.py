"""What is measured of an update whose loss changes during the training."""

from types import SimpleNamespace

from asrkit.pipeline.memory import passes


def test_seconds_are_the_mean_over_the_phases_of_a_training(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(passes.time, "monotonic", lambda: clock.now)
    loss = SimpleNamespace(phases=(0.0, 0.75))
    updates = passes._Updates.__new__(passes._Updates)
    updates.run = SimpleNamespace(config=SimpleNamespace(loss=loss))
    updates.device = SimpleNamespace(type="cpu")
    updates.memory = SimpleNamespace(read=lambda: 3.0)

    def update(shape, progress):
        clock.now += 9.0 if progress.share >= 0.75 else 1.0

    updates.update = update
    assert updates.measure(None) == (3.0 * 2**20, 0.75 * 1.0 + 0.25 * 9.0)
