"""How far dev's alignment moves, in validation, against a count by hand."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from asrkit.decoding.greedy import GreedyConfig
from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.transcripts.alignment import align_by_ctc
from asrkit.losses.ctc import CtcLossConfig
from asrkit.losses.full import FullLossConfig
from asrkit.losses.mbr import MbrLossConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.pipeline.decode.choose_search import validation_search
from asrkit.pipeline.tasks.moved_labels import LABELS_MOVED, MovedLabels
from asrkit.pipeline.tasks.validation import Validation, scalar_names
from asrkit.training.distributed import World
from tests.unit.pipeline.tasks.test_asr_task import make_batch, make_task

ALONE = World(1, 1, torch.device("cpu"))  # of rank 1: it draws no picture
BATCHES = ([0, 2], [1])


def frames(**rows):
    return {name: torch.tensor(row, dtype=torch.int32) for name, row in rows.items()}


def batches():
    for rows in BATCHES:
        yield replace(make_batch(rows), texts=["word"] * len(rows))


def validation(loss, moved=None, unit=ErrorUnit.WORD):
    texts = SimpleNamespace(tokens="abcdefg", decode=lambda ids: "x" * len(ids))
    return Validation(
        batches=batches,
        search=validation_search(GreedyConfig(), loss, JoinerConfig()).build(),
        tokenizer=texts,
        unit=unit,
        world=ALONE,
        moved=moved,
    )


def shake(task, seed):
    """Change the model, so that it aligns otherwise."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in task.model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))


@torch.no_grad()
def aligned(task):
    """Return the frames of each label of all of dev, with a None without a path."""
    found = {}
    for row in range(3):
        encoded = task.eval().encode(make_batch([row]))
        log_probs = task.model.ctc_log_probs(encoded.enc_out)
        (one,) = align_by_ctc(
            log_probs, encoded.enc_lens, encoded.tokens, encoded.token_lens
        )
        found[str(row)] = one and one.frames
    return found


def test_a_neighbouring_frame_is_the_same_place():
    moved = MovedLabels()
    assert moved.compare([frames(a=[3, 7], b=[1])]) == 1.0
    assert moved.compare([frames(a=[4, 6], b=[1])]) == 0.0
    assert moved.compare([frames(a=[6, 6], b=[1])]) == 1 / 3
    assert moved.compare([frames(a=[8, 4], b=[3])]) == 1.0


def test_processes_share_dev_and_what_was_not_there_has_moved():
    one, two = MovedLabels(), MovedLabels()
    one.compare([frames(a=[3, 7], b=[1], c=[5])])
    two.compare([frames(c=[5], a=[3, 7]), frames(b=[1])])
    now = [frames(b=[1], d=[2, 3]), frames(a=[3, 9], c=[5])]
    assert one.compare(now) == two.compare(now[::-1]) == 3 / 6
    assert one.compare([frames(a=[3])]) == 1.0  # another text


@pytest.mark.parametrize("rows", [{}, {"a": [3, 7], "empty": [], "b": [1]}])
def test_a_checkpoint_holds_the_last_alignments(tmp_path, rows):
    moved, again = MovedLabels(), MovedLabels()
    moved.compare([frames(**rows)])
    torch.save(moved.state_dict(), tmp_path / "state.pt")
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    now = frames(a=[3, 9], b=[1])
    assert again.compare([now]) == moved.compare([now]) == (1 / 3 if rows else 1.0)
    again.load_state_dict({})
    assert again.compare([now]) == 1.0


def test_validation_counts_what_has_moved():
    task = make_task(CtcLossConfig())
    validate = validation(CtcLossConfig(), MovedLabels())
    assert validate(task).scalars[LABELS_MOVED] == 1.0
    assert validate(task).scalars[LABELS_MOVED] == 0.0
    shares = set()
    for seed in range(6):
        before = aligned(task)
        shake(task, seed)
        after = aligned(task)
        pairs = [
            (a, b)
            for name, now in after.items()
            for a, b in zip(before[name], now, strict=True)
        ]
        expected = sum(abs(a - b) > 1 for a, b in pairs) / len(pairs)
        assert validate(task).scalars[LABELS_MOVED] == expected
        shares.add(expected)
    assert len(shares) > 2


@pytest.mark.parametrize("unit", ErrorUnit)
@pytest.mark.parametrize(
    "loss",
    [
        FullLossConfig(),
        CtcLossConfig(),
        MbrLossConfig(),
        MbrLossConfig(weights={"transducer": 0.0, "ctc": 1.0}),
    ],
)
def test_what_validation_finds_is_known_before(loss, unit):
    found = validation(loss, unit=unit)(make_task(loss)).scalars
    assert list(found) == scalar_names(loss, unit)
    assert unit.scalar in found
