"""The search for the largest batch, with memory that a formula makes up."""

import pytest

from asrkit.losses.full import FullLossConfig
from asrkit.pipeline.memory.largest_batch import largest, longest_useful
from asrkit.pipeline.memory.model import Costs
from asrkit.pipeline.memory.planner import Planner
from asrkit.pipeline.memory.room import Room
from asrkit.pipeline.memory.table import LossRow, Table, choose_columns
from asrkit.utils.errors import InputError
from tests.unit.pipeline.memory.test_shapes import draw

GB = 1e9


class MadeUp:
    """Peaks that grow with frames, and a jump; dies above `most`."""

    def __init__(self, *, frame=4e5, jump=0.0, most=float("inf")):
        self.frame, self.jump, self.most = frame, jump, most
        self.peak, self.stops = 0.0, 0

    def update(self, shape):
        frames = shape.B * shape.T
        bytes = 3e8 + self.frame * frames + self.jump * (frames > 2000)
        if bytes > self.most:
            return float("inf"), 0.0
        self.peak = max(self.peak, bytes)
        return self.peak, 1.0

    def stop(self):
        self.peak, self.stops = 0.0, self.stops + 1


def planner(passes, count=1200):
    costs = Costs(FullLossConfig(), vocab_size=50, joiner_dim=32)
    return Planner(draw(count), costs, passes)


def room(bytes):
    return Room(bytes, bytes + 5e8, 5e8, "data.memory_gb")


@pytest.mark.parametrize("gigabytes", [0.7, 2.5])
@pytest.mark.parametrize("passes", [{}, {"jump": 2e8}, {"most": 1.1 * GB}])
def test_what_is_found_fits_and_fills_the_room(gigabytes, passes):
    made_up = MadeUp(**passes)
    found = largest(planner(made_up), room(gigabytes * GB), 1)
    limit = min(gigabytes * GB, made_up.most)
    assert found.bytes <= limit
    assert found.bytes >= 0.9 * limit
    assert found.max_duration == int(10 * found.max_duration) / 10


def test_small_data_keep_their_updates():
    data = planner(MadeUp(frame=1e3), count=300)
    total = sum(data.utterances.seconds)
    assert largest(data, room(10 * GB), 1).max_duration == int(total / 20)
    # Two batches make an update.
    assert longest_useful(data.utterances, 2) == int(total / 40)


def test_the_longest_utterance_has_to_fit():
    data = planner(MadeUp(frame=3e6))
    name = f"u{data.utterances.seconds.tolist().index(16.0)}"
    with pytest.raises(
        InputError, match=rf"longest training utterance alone \({name}, 16"
    ):
        largest(data, room(1 * GB), 1)


def test_what_is_measured_is_predicted_again():
    data = planner(MadeUp())
    for seconds in (16.0, 60.0, 120.0):
        assert data.measure(seconds) == pytest.approx(data.predict(seconds))
    expected = planner(MadeUp()).measure(400.0)
    assert data.predict(400.0) == pytest.approx(expected, rel=0.01)
    longest = data.fitting(expected, 16.0, 1000.0)
    assert data.predict(longest) <= expected
    assert longest > 0.95 * 400


def test_after_too_much_the_next_batches_are_measured_afresh():
    passes = MadeUp()
    data = planner(passes)
    assert data.measure(300.0, most=1 * GB) > 1 * GB
    assert passes.stops == 1
    assert data.measure(30.0, most=1 * GB) < 1 * GB


def test_the_choice_has_large_batches_is_fast_and_rather_exact():
    def choice(*rows):
        rows = [LossRow(name, [], longest, speed) for name, longest, speed in rows]
        chosen = Table([], rows, room(GB)).choice
        return chosen and chosen.name

    assert choice(("fused", 100.0, 50.0), ("full", 30.0, 90.0)) == "fused"
    assert choice(("fused", 100.0, 50.0), ("full", 95.0, 90.0)) == "full"
    assert choice(("fused", 100.0, 50.0), ("pruned", 110.0, 52.0)) == "fused"
    assert choice(("fused", 100.0, 50.0), ("ctc", 900.0, 200.0)) == "fused"
    assert choice(("fused", None, 0.0), ("pruned", 9.0, 5.0)) == "pruned"
    assert choice(("fused", None, 0.0)) is None


def test_columns_reach_from_the_longest_utterance_to_what_is_of_use():
    assert choose_columns(3.6, 120.0) == [25.0, 50.0, 100.0, 200.0]
    assert choose_columns(30.0, 60.0) == [50.0, 100.0]
    assert len(choose_columns(30.0, 1e9)) == 8
