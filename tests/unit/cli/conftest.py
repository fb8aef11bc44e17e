"""A run with random weights, and recordings of noise."""

import numpy as np
import pytest
import soundfile
import torch

from asrkit.pipeline.decode.recognizer import describe
from asrkit.pipeline.experiment import AVERAGE
from asrkit.text.char import CharTokenizerConfig
from asrkit.training.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from asrkit.utils.plain import to_plain
from tests.unit.test_config import make

TINY = [
    "encoder=conformer_2m", "encoder.num_layers=1", "encoder.dim=8", "encoder.ff_dim=8",
    "encoder.num_heads=2", "predictor.dim=8", "joiner.dim=8",
    "decode.max_symbols=1",
]  # fmt: skip


def make_noise(seconds, rate):
    """Return noise that grows loud and quiet."""
    rng = np.random.default_rng(round(1000 * seconds))
    times = np.arange(round(seconds * rate)) / rate
    return (0.02 + 0.2 * np.sin(8 * times) ** 4) * rng.standard_normal(len(times))


@pytest.fixture(scope="session")
def exp_dir(tmp_path_factory):
    """Write a checkpoint of random weights, with about as many labels as blanks."""
    return make_run(tmp_path_factory.mktemp("exp"))


@torch.no_grad()
def make_run(folder, *settings, tokenizer=None, change=None):
    """Write such a checkpoint.

    Args:
        folder: Of the run; returned.
        settings: Of its configuration.
        tokenizer: Another one.
        change: Applied to the model.
    """
    config = make(*TINY, "features.sampling_rate=16000", *settings)
    tokenizer = tokenizer or CharTokenizerConfig().train(["AB BA C"])
    torch.manual_seed(0)
    model = config.model.build(config.features.num_bins, tokenizer.vocab_size).eval()
    model.set_feature_statistics(torch.zeros(80), torch.full((80,), 0.3))
    if change:
        change(model)
    audio = torch.from_numpy(make_noise(20.0, 16000)).float()[None]
    feats, lens = config.features.build()(audio, torch.tensor([audio.shape[1]]))
    enc_out, _ = model.encode(feats, lens)
    pred_proj = model.joiner.pred_proj(model.predictor(torch.tensor([[]]).long()))
    enc_proj = model.joiner.enc_proj(enc_out)
    for output, logits in (
        (model.ctc_head, model.ctc_head(enc_out)),
        (model.joiner.output, model.joiner(enc_proj, pred_proj)),
    ):
        mean, std = logits.mean(dim=(0, 1)), logits.std(dim=(0, 1))
        output.weight.div_(std[:, None] / 3)
        output.bias.sub_(mean).div_(std / 3)
        output.bias[0] += 3
        output.bias[1:3] = -1000  # neither <sos/eos> nor <unk>
    state = {f"model.{name}": weight for name, weight in model.state_dict().items()}
    save_checkpoint(
        {"average": state, **describe(to_plain(config), tokenizer)}, folder / AVERAGE
    )
    return folder


@pytest.fixture(scope="session")
def make_exp(exp_dir, tmp_path_factory):
    """Return a function that writes the run as if trained with these chunks."""

    def make(sizes, left):
        state = load_checkpoint(exp_dir / AVERAGE)
        state["config"]["encoder"]["chunks"] |= {"sizes": sizes, "left": left}
        folder = tmp_path_factory.mktemp("chunks")
        save_checkpoint(state, folder / AVERAGE)
        return folder

    return make


@pytest.fixture(scope="session")
def chunk_dir(make_exp):
    """Return a run whose model streams in chunks of 0.32 and 0.64 s."""
    return make_exp([8, 16, None], [2, 4])


@pytest.fixture
def make_wave(tmp_path):
    """Return a function that writes noise into a file."""

    def write(name, seconds, rate=16000):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, make_noise(seconds, rate), rate)
        return path

    return write
