"""An encoder of another frame rate trains, aligns and decodes; its times are right.

Nothing but its own file knows the rate.
"""

import numpy as np
import pytest
import soundfile
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from asrkit.cli.decoding.transcribe import transcribe
from asrkit.cli.overrides import apply_overrides
from asrkit.cli.training.train import CONF_DIR
from asrkit.config import register
from asrkit.data.attached.rows import read_rows
from asrkit.data.corpora.manifests import write_manifests
from asrkit.data.corpora.scan import Utterance, scan
from asrkit.data.features.chunks import Chunker
from asrkit.data.features.fbank import num_frames
from asrkit.pipeline.components import CLASSES, COMPONENTS
from asrkit.pipeline.decode.aligner import Aligner, By, audio_batch
from asrkit.pipeline.decode.recognizer import load_recognizer
from asrkit.pipeline.runner import run_pipeline
from asrkit.training.distributed import World
from tests.unit.pipeline.toy_encoder import ToyEncoderConfig

TONES = {"A": 300.0, "B": 900.0, "▁": 2500.0}
CPU = torch.device("cpu")
SHORT = 0.15  # seconds: 15 feature frames for 5 tokens


def sound(*tones):
    """Return quiet noise with tones in it: (token, start, seconds)."""
    rng = np.random.default_rng(0)
    audio = 0.001 * rng.standard_normal(16000 * 3)
    for token, start, seconds in tones:
        place = slice(round(16000 * start), round(16000 * (start + seconds)))
        times = np.arange(place.stop - place.start) / 16000
        audio[place] += 0.3 * np.sin(2 * np.pi * TONES[token] * times)
    return torch.from_numpy(audio).float()


SPOKEN = sound(("A", 0.5, 0.2), ("▁", 0.9, 0.1), ("B", 1.5, 0.2))
STARTS = [0.5, 1.5]


@pytest.fixture
def manifests(tmp_path):
    """Write train and dev; one training utterance is short for its text."""
    folder = tmp_path / "data" / "manifests"
    parts = {
        "train": {"u0": 3.0, "u1": 3.0, "u2": 2.5, "u3": 2.5, "short": SHORT},
        "dev": {"d0": 3.0},
    }
    cuts, left_out = {}, {}
    for part, names in parts.items():
        rows = []
        for name, seconds in names.items():
            path = tmp_path / f"{name}.wav"
            soundfile.write(path, SPOKEN[: round(16000 * seconds)].numpy(), 16000)
            text = "ABABA" if name == "short" else "A B"
            rows.append(Utterance(id=name, path=path, text=text))
        cuts[part], left_out[part] = scan(rows, name=part)
    write_manifests(cuts, left_out, folder)
    return folder


def spy(method, calls):
    """Return the method; it takes down whose it was."""

    def called(self, *arguments):
        calls.append(self)
        return method(self, *arguments)

    return called


@torch.no_grad()
def teach(recognizer):
    """Let the CTC head tell the tones apart: each token by the mean of its frames."""
    model, tokenizer = recognizer.model, recognizer.tokenizer
    (linear,) = model.encoder.blocks
    linear.weight.copy_(torch.eye(model.encoder.output_dim))
    linear.bias.zero_()
    means = torch.full((tokenizer.vocab_size, model.encoder.output_dim), 1e3)
    for token, index in [("", 0), *((t, tokenizer.tokens.index(t)) for t in TONES)]:
        audio = sound((token, 0.0, 3.0)) if token else sound()
        feats, lens = recognizer.features(audio[None], torch.tensor([len(audio)]))
        means[index] = model.encode(feats, lens)[0].mean(dim=(0, 1))
    model.ctc_head.weight.copy_(2 * means)
    model.ctc_head.bias.copy_(-means.square().sum(dim=1))


@pytest.mark.parametrize("factor", [2, 8])
def test_nothing_else_knows_the_frame_rate(factor, manifests, tmp_path, monkeypatch):
    monkeypatch.setitem(COMPONENTS, "encoder", [ToyEncoderConfig])
    monkeypatch.setitem(CLASSES, "ToyEncoderConfig", ToyEncoderConfig)
    register()
    overrides = [
        "encoder=base_toy_encoder", f"encoder.factor={factor}", "pipeline=frame_wise",
        "pipeline.order=[ctc,align,viterbi]", "num_updates=3", "tokenizer=char",
        "predictor.dim=8", "joiner.dim=8", f"data.manifests={manifests}",
        "data.train=[train]", "data.dev=[dev]", "data.test=[]", "data.num_workers=0",
        "data.num_buckets=2", f"exp_dir={tmp_path / 'exp'}", "trainer.device=cpu",
    ]  # fmt: skip
    with initialize_config_dir(str(CONF_DIR), version_base=None):
        config = OmegaConf.to_object(compose("config", overrides))
    cut = []
    monkeypatch.setattr(Chunker, "_place", spy(Chunker._place, cut))
    run_pipeline(config, World(0, 1, CPU))

    assert {chunker.subsampling for chunker in cut} == {factor}
    exp = tmp_path / "exp"
    frames = num_frames(len(SPOKEN), 16000) // factor
    rows = {row["id"]: row for row in read_rows(exp / "align" / "alignments")}
    assert rows["u0"]["num_frames"] == frames
    # 7 encoder frames are enough for 5 tokens, 1 is not.
    assert ("short" in rows) == (factor == 2)
    if factor == 8:
        reason = "5 tokens need 5 encoder frames, 0.15 s have 1 (subsampling 8)"
        assert reason in (exp / "left_out.tsv").read_text()
        report = " ".join((exp / "data_report.txt").read_text().split())
        assert "20.0 % of train has more labels than frames: with CTC and MONOT" in (
            report
        )

    recognizer = load_recognizer(
        exp / "ctc" / "checkpoints" / "best.pt", CPU,
        change=lambda config: apply_overrides(config, ["decode=ctc_greedy"]),
    )  # fmt: skip
    teach(recognizer)
    aligner = Aligner(recognizer, By.CTC, 1.3)
    for by in (None, aligner):
        found = transcribe(recognizer, SPOKEN, tmp_path / "x.wav", 30.0, by)
        assert found.text == "A B"
        for word, start in zip(found.words, STARTS, strict=True):
            assert word.start == pytest.approx(start, abs=0.01 * factor + 0.015)
    # Long audio is cut between encoder frames, so that the pieces' frames add up.
    (aligned,) = aligner.align([SPOKEN], [recognizer.tokenizer.encode("A B")])
    assert aligned.frames[0] * recognizer.frame_seconds == pytest.approx(
        STARTS[0], abs=0.01 * factor + 0.015
    )
    assert aligner.frames(SPOKEN) == frames
    heard = Aligner(recognizer, By.TIMING).hear(audio_batch([SPOKEN], 16000))
    assert heard.timing.shape[1] == frames
