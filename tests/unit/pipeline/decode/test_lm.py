"""Language models: the task's sums, validation, and which checkpoints are accepted."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from asrkit.cli.training.train_lm import chosen_lm
from asrkit.data.text.batches import TextBatch
from asrkit.models.lm.lstm_lm import LstmLmConfig
from asrkit.pipeline.decode.lm import load_lm
from asrkit.pipeline.decode.recognizer import describe
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.pipeline.for_stage import for_stage
from asrkit.pipeline.snapshot import differences
from asrkit.pipeline.stages.lm import LmConfig
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.pipeline.tasks.lm_task import LmTask, LmValidation, perplexity, summarize
from asrkit.text.char import CharTokenizerConfig
from asrkit.training.checkpoints.checkpoint import save_checkpoint
from asrkit.training.distributed import World
from asrkit.training.optimizers.optim import AdamWConfig
from asrkit.training.optimizers.schedule import ConstantConfig
from asrkit.utils.errors import InputError
from asrkit.utils.plain import to_plain
from tests.unit.pipeline.compose import make

CPU = torch.device("cpu")
TOKENIZER = CharTokenizerConfig().train(["A B C"])
CONFIG = LmConfig(
    model=LstmLmConfig(num_layers=1, dim=8), optim=AdamWConfig(),
    schedule=ConstantConfig(),
)  # fmt: skip
LENS = [3, 2, 0]


@pytest.fixture
def task():
    return LmTask(CONFIG.model.build(TOKENIZER.vocab_size)).eval()


def make_batch(rows):
    tokens = torch.arange(1, 10).view(3, 3) % 6 + 1
    lens = torch.tensor(LENS)[rows]
    width = int(lens.max())
    tokens = tokens[rows, :width] * (torch.arange(width) < lens[:, None])
    return TextBatch(np.array(rows), tokens, lens)


def test_the_loss_of_a_batch_is_the_sum_of_its_sentences(task):
    whole = task(make_batch([0, 1, 2]))
    alone = [task(make_batch([row])) for row in range(3)]
    torch.testing.assert_close(whole.loss, sum(one.loss for one in alone))
    assert whole.weight == sum(one.weight for one in alone) == 5 + 3
    batch = make_batch([0, 1, 2])
    probs = task.model.log_prob(batch.tokens, batch.token_lens)
    torch.testing.assert_close(whole.loss, -probs.sum())


def test_validation_does_not_depend_on_the_batches(task):
    scalars = []
    for split in ([[0, 1, 2]], [[2], [0, 1]]):
        validate = LmValidation(
            batches=lambda split=split: (make_batch(rows) for rows in split),
            words=6, world=World(0, 1, CPU),
        )  # fmt: skip
        scalars.append(validate(task.train()).scalars)
    assert scalars[0] == pytest.approx(scalars[1])
    loss = float(task.eval()(make_batch([0, 1, 2])).loss.detach())
    assert scalars[0]["perplexity"] == pytest.approx(math.exp(loss / 8))
    assert scalars[0]["word_perplexity"] == pytest.approx(math.exp(loss / 6))


def test_a_perplexity_beyond_floats_is_infinite():
    assert perplexity(1e6, 1.0) == math.inf
    assert perplexity(2.0, 2.0) == pytest.approx(math.e)


def test_the_summary_divides_by_the_right_counts():
    sums = {
        "loss": 20.0, "tokens": 10.0, "sentences": 4.0, "updates": 2.0,
        "gradient_norm": 3.0, "wall_seconds": 5.0,
    }  # fmt: skip
    scalars = summarize(sums)
    assert scalars["perplexity"] == pytest.approx(math.exp(2.0))
    assert scalars["tokens_per_second"] == 2.0
    assert scalars["sentences_per_update"] == 2.0
    assert scalars["gradient_norm"] == 1.5
    assert summarize({"wall_seconds": 5.0}) == {"seconds": 5.0}


@pytest.fixture
def trained(task, tmp_path):
    path = tmp_path / "lm_lstm" / "checkpoints" / "best.pt"
    about = describe({"lm": to_plain(CONFIG)}, TOKENIZER)
    save_checkpoint({**about, "average": task.state_dict()}, path)
    return path


def load(path, tokenizer=TOKENIZER):
    return load_lm(path, CPU, tokenizer=tokenizer)


def test_a_checkpoint_or_its_folder_is_all_it_takes(trained, task):
    batch = make_batch([0, 1])
    expected = task.model.log_prob(batch.tokens, batch.token_lens)
    for path in (trained, trained.parents[1]):
        model = load(path)
        assert not model.training
        found = model.log_prob(batch.tokens, batch.token_lens)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ["A B D"],
            r"7 tokens \(Char\).*7 tokens \(Char\); token 5 is 'C' there and 'D' ",
        ),
        (["A B C D"], r"over 7 tokens \(Char\), the recognizer has 8 tokens \(Char\)"),
    ],
)
def test_a_model_of_another_tokenizer_is_refused(trained, texts, message):
    with pytest.raises(InputError, match=message):
        load(trained, CharTokenizerConfig().train(texts))


def test_a_recognizer_is_no_language_model(task, tmp_path):
    about = describe({"encoder": {}, "lm": None}, TOKENIZER)
    save_checkpoint({**about, "average": {}}, tmp_path / "best.pt")
    with pytest.raises(InputError, match="is a recognizer, not a language model"):
        load(tmp_path / "best.pt")


def test_a_language_model_is_never_taken_for_the_recognizer(trained, tmp_path):
    with pytest.raises(InputError, match="no checkpoint below"):
        find_checkpoint(tmp_path)
    recognizer = tmp_path / "train" / "checkpoints" / "last.pt"
    save_checkpoint({"average": {}}, recognizer)
    assert find_checkpoint(tmp_path) == recognizer


def test_a_training_without_text_is_refused():
    settings = {
        "model": CONFIG.model,
        "optim": CONFIG.optim,
        "schedule": CONFIG.schedule,
    }
    with pytest.raises(ValueError, match="no text left"):
        LmConfig(**settings, transcripts=False)
    with pytest.raises(ValueError, match=r"lm.max_tokens must be at least 1, got 0"):
        LmConfig(**settings, max_tokens=0)


def test_a_stage_has_the_name_of_its_language_model():
    for name in ("lstm", "lm_lstm"):
        config = make(f"+lm@pipeline.stages.{name}=lstm", f"pipeline.order=[{name}]")
        stage, exp_dir = config.pipeline.stages[name], Path("exp")
        run = StageRun(
            stage=stage, config=config, plain={}, folder=exp_dir / name,
            exp_dir=exp_dir, tokenizer=TOKENIZER, world=World(0, 1, CPU),
        )  # fmt: skip
        if name == "lm_lstm":
            stage.check(run)
            continue
        with pytest.raises(InputError, match="called 'lstm': call the stage lm_lstm"):
            stage.check(run)


def test_a_language_model_depends_on_its_text_and_not_on_the_recognizer():
    def matters(*overrides):
        config = make(
            "+lm@pipeline.stages.lm_lstm=lstm", "pipeline.order=[lm_lstm]", *overrides
        )
        plain = to_plain(for_stage(config, "lm_lstm"))
        return config.pipeline.stages["lm_lstm"].matters(plain)

    before = matters()
    assert before["lm"]["class"] == "LmConfig"
    assert matters("encoder=conformer_2m", "data.max_duration=3", "lm.name=x") == before
    clipped = matters("pipeline.stages.lm_lstm.set.trainer.clip_norm=2")
    assert list(differences(before, clipped)) == ["trainer.clip_norm"]
    for override in ("data.train=[other]", "pipeline.stages.lm_lstm.max_tokens=3"):
        assert len(differences(before, matters(override))) == 1


def test_a_run_without_language_model_says_what_to_choose():
    with pytest.raises(InputError, match="Choose lm=lstm or lm=transformer"):
        chosen_lm(SimpleNamespace(lm=None))
