#!/usr/bin/env python3
"""Times searches against the encoder alone, on a trained model or a preset's size.

scripts/benchmarks/decoding.py --exp-dir exp/x --set test [--methods greedy ...]
scripts/benchmarks/decoding.py --preset conformer_80m [--device cuda]
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import find_asrkit  # noqa: F401
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor

from asrkit.cli.overrides import apply_overrides
from asrkit.config import register
from asrkit.data.corpora.manifests import load_cuts
from asrkit.decoding.search import Search
from asrkit.models.asr_model import AsrModel, ModelConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.models.predictor import PredictorConfig
from asrkit.pipeline.config import Config
from asrkit.pipeline.decode.decode_set import open_batches
from asrkit.pipeline.decode.recognizer import Recognizer, load_recognizer
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.training.distributed import World, choose_device

_FEATS_PER_SECOND = 100
_VOCAB = 500  # of a preset's model
_LABEL_FRAMES = 0.12  # share of frames that emit a label in real speech


def main() -> int:
    """Print a table of times, ratios and RTFx."""
    args = _parser().parse_args()
    device = choose_device(args.device)
    if args.exp_dir:
        model, batches, searches = _trained(args, device)
    else:
        model, batches, searches = _untrained(args, device)
    seconds = sum(float(lens.sum()) for _, lens in batches) / _FEATS_PER_SECOND
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    print(
        f"{parameters:.1f}M parameters, {seconds:.0f} s of audio in {len(batches)} "
        f"batches, {device.type}, {torch.get_num_threads()} threads, medians of "
        f"{args.runs} runs and of their ratios"
    )
    calls: dict[str, Callable[[], object]] = {
        "encoder alone": lambda: [model.encode(*batch) for batch in batches],
        **{
            f"encoder + {name}": partial(_decode, model, batches, search)
            for name, search in searches.items()
        },
    }
    times = _time(calls, args.runs)
    encoder = times["encoder alone"]
    for name, taken in times.items():
        ratio = statistics.median(t / e for t, e in zip(taken, encoder, strict=True))
        middle = statistics.median(taken)
        print(f"{name:34} {middle:8.3f} s  {ratio:5.2f}x  RTFx {seconds / middle:.0f}")
    return 0


def _decode(
    model: AsrModel, batches: list[tuple[Tensor, Tensor]], search: Search
) -> None:
    for batch in batches:
        search(model, *model.encode(*batch))


def _trained(
    args: argparse.Namespace, device: torch.device
) -> tuple[AsrModel, list[tuple[Tensor, Tensor]], dict[str, Search]]:
    """Return a trained model, its features of a set, and searches."""

    def load(overrides: list[str]) -> Recognizer:
        return load_recognizer(
            find_checkpoint(args.exp_dir),
            device,
            change=lambda config: apply_overrides(config, overrides),
        )

    first = load([])
    cuts = load_cuts(Path(first.config.data.manifests), args.set)
    batches = []
    with torch.inference_mode():
        for batch in open_batches(first, cuts, World(0, 1, device)):
            batch = batch.to(device)
            batches.append(first.features(batch.signal, batch.signal_lens))
    searches = {
        f"{method} {beam}".strip(): load(
            [f"decode={method}", *([f"decode.beam={beam}"] if beam else [])]
        ).search
        for method, _, beam in (name.partition(":") for name in args.methods)
    }
    return first.model, batches, searches


def _untrained(
    args: argparse.Namespace, device: torch.device
) -> tuple[AsrModel, list[tuple[Tensor, Tensor]], dict[str, Search]]:
    """Return a model of a preset's size that emits labels as often as real ones do."""
    register()
    conf = Path(__file__).resolve().parents[2] / "conf"
    with initialize_config_dir(str(conf), version_base=None):
        config = OmegaConf.to_object(compose("config", [f"encoder={args.preset}"]))
    assert isinstance(config, Config)
    torch.manual_seed(0)
    model = (
        ModelConfig(
            encoder=config.encoder, predictor=PredictorConfig(), joiner=JoinerConfig()
        )
        .build(80, _VOCAB)
        .to(device)
        .eval()
    )
    torch.nn.init.normal_(model.joiner.output.weight)
    lens = torch.randint(400, 1600, (args.utterances,), device=device)
    feats = torch.randn(args.utterances, 1600, 80, device=device)
    order = lens.argsort()
    batches = [
        (feats[rows, : int(lens[rows].max())], lens[rows])
        for rows in order.split(args.batch)
    ]
    _balance(model, *batches[0])
    searches: dict[str, Search] = {}
    for name in args.methods:
        method, _, beam = name.partition(":")
        overrides = [f"decode={method}", *([f"decode.beam={beam}"] if beam else [])]
        searches[name] = apply_overrides(config, overrides).decode.build()
    return model, batches, searches


@torch.inference_mode()
def _balance(model: AsrModel, feats: Tensor, lens: Tensor) -> None:
    """Set blank's bias so that the usual share of frames emits a label."""
    enc_out, _ = model.encode(feats, lens)
    context = torch.zeros(1, model.predictor.context_size, dtype=torch.int64)
    pred_out = model.predictor.contexts(context.to(feats.device))
    joiner = model.joiner
    logits = joiner(joiner.enc_proj(enc_out), joiner.pred_proj(pred_out))
    lead = logits[..., 1:].amax(dim=-1) - logits[..., 0]
    joiner.output.bias.data[0] += lead.quantile(1.0 - _LABEL_FRAMES)


@torch.inference_mode()
def _time(calls: dict[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Return the seconds of each call, all in turn, after a round that warms up.

    In turn, so that what else the machine does falls on all of them alike.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(runs + 1):
        for name, call in calls.items():
            _wait()
            start = time.perf_counter()
            call()
            _wait()
            times[name].append(time.perf_counter() - start)
    return {name: taken[1:] for name, taken in times.items()}


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parse.add_argument
    what = parse.add_mutually_exclusive_group(required=True)
    what.add_argument("--exp-dir", type=Path, help="a trained run")
    what.add_argument("--preset", help="an encoder of conf/encoder, untrained")
    add("--set", default="test", help="the run's set to decode (default: test)")
    add("--utterances", type=int, default=32, help="of 4 to 16 s, for a preset")
    add("--batch", type=int, default=16, help="utterances in a batch, for a preset")
    add("--runs", type=int, default=5, help="runs that the median is of")
    add("--device", default="auto", help="auto, cpu or cuda")
    add(
        "--methods",
        nargs="+",
        default=["greedy", "modified_beam_search:4", "beam_search:4", "ctc_greedy"],
        help="searches, with METHOD:BEAM for a beam",
    )
    return parse


if __name__ == "__main__":
    sys.exit(main())
