"""pipeline=auto counts what a step spends on the full sum."""

import json
from dataclasses import replace

import pytest

from asrkit.pipeline.choose_pipeline import DECISION, count_work, decide_pipeline
from asrkit.text.char import CharTokenizer
from asrkit.text.tokenizer import SPECIAL_PIECES
from asrkit.training.distributed import World
from asrkit.utils.errors import InputError
from tests.unit.pipeline.compose import make


def tokenizer(vocab_size):
    letters = [chr(0x4E00 + i) for i in range(vocab_size - len(SPECIAL_PIECES))]
    return CharTokenizer([*SPECIAL_PIECES, *letters])


def work(vocab_size, *overrides, seconds=2.5, labels=10):
    config = make("encoder=conformer_2m", "features.sampling_rate=16000", *overrides)
    text = chr(0x4E00) * labels
    return config, count_work(config, tokenizer(vocab_size), [(seconds, text)] * 2)


def test_it_counts_products():
    config, found = work(3000, "joiner.dim=144")
    frames = 2 * 63  # 2.5 s are 250 frames, of which four make one
    encoder = config.model.build(80, 3000).encoder
    assert found.encoder == frames * sum(p.numel() for p in encoder.parameters())
    assert found.full_sum == frames * 11 * 144 * 3000
    assert found.choice == "frame_wise"


def test_losses_say_what_they_look_at():
    whole = work(3000)[1].full_sum
    assert work(3000, "loss=pruned", "loss.s_range=5")[1].full_sum == whole * 5 / 11
    sampled = work(3000, "loss=sampled", "loss.num_samples=489", "loss.until=0.5")[1]
    assert sampled.full_sum == pytest.approx(whole * (0.5 * 500 / 3000 + 0.5))
    assert work(3000, "loss=ctc")[1].full_sum == pytest.approx(whole / 11)


@pytest.mark.parametrize(
    ("vocab_size", "overrides", "choice"),
    [
        # Sizes of the corpora of docs/progressive.md.
        (70, ["joiner.dim=144"], "single"),
        (3036, ["joiner.dim=144"], "frame_wise"),
        (3036, ["joiner.dim=144", "loss=sampled"], "single"),
    ],
)
def test_it_chooses_as_measured(vocab_size, overrides, choice):
    assert work(vocab_size, *overrides)[1].choice == choice


def test_what_was_decided_is_kept(tmp_path):
    config = replace(make(), exp_dir=str(tmp_path))
    path = tmp_path / DECISION
    path.write_text(json.dumps({"pipeline": "frame_wise", "ratio": 2.0}))
    assert decide_pipeline(config, World(0, 1, "cpu")) == "frame_wise"
    path.write_text("{")
    with pytest.raises(InputError, match=f"{DECISION} is damaged"):
        decide_pipeline(config, World(0, 1, "cpu"))
