"""End points on made-up utterances."""

import pytest

from asrkit.decoding.end_points import EndPoints


def first_end(rules, label_frames, frame_seconds=0.04):
    """Return the frames after which an utterance with these labels is over."""
    return next(
        n
        for n in range(1, 2000)
        if rules.reached([t for t in label_frames if t < n], n, frame_seconds)
    )


@pytest.mark.parametrize(
    ("label_frames", "end"),
    [
        ([], 60),  # 2.4 s of nothing
        ([0], 31),  # a label and 1.2 s
        ([3, 3, 9], 40),
        ([59], 90),  # the first label just before the end of nothing
        ([60], 60),  # and just after it
        ([10, 40], 71),  # 29 silent frames do not end it
        ([10, 41], 41),  # 30 do
        (range(0, 600, 20), 500),  # 20 s
        ([*range(0, 480, 20), 480], 500),
    ],
)
def test_rules(label_frames, end):
    assert first_end(EndPoints(), label_frames) == end


def test_rules_are_seconds():
    rules = EndPoints(without_speech=1.0, after_speech=0.5, longest=3.0)
    assert first_end(rules, [], 0.1) == 10
    assert first_end(rules, [2], 0.1) == 8
    assert first_end(rules, range(0, 100, 3), 0.1) == 30


@pytest.mark.parametrize("name", ["without_speech", "after_speech", "longest"])
def test_rules_have_to_be_positive(name):
    with pytest.raises(ValueError, match=f"end_points.{name}"):
        EndPoints(**{name: 0.0})
