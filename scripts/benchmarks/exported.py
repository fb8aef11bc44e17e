#!/usr/bin/env python3
"""Times exported files against torch: asrkit.runtime, 8 bits, sherpa-onnx.

scripts/benchmarks/exported.py --exp-dir exp/demo [--set dev] [--runs 15]

One recording at a time, features and greedy search included, and the encoder alone; one
thread, CPU time, so that what else the machine does counts little. Prints medians, and
those of the ratios to torch in the same round. The export, with --int8, has to be in
EXP_DIR/export.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import find_asrkit  # noqa: F401
import numpy as np
import torch

from asrkit.cli.main import run
from asrkit.data.corpora.manifests import load_cuts
from asrkit.decoding.greedy import GreedySearch
from asrkit.pipeline.decode.aligner import audio_batch
from asrkit.pipeline.decode.decode_set import open_batches
from asrkit.pipeline.decode.recognizer import Recognizer, load_recognizer
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.runtime import Recognizer as Exported
from asrkit.training.distributed import World

_CPU = torch.device("cpu")
Calls = dict[str, Callable[[], object]]


def main() -> int:
    """Print a table."""
    args = _parser().parse_args()
    torch.set_num_threads(1)
    ours = load_recognizer(find_checkpoint(args.exp_dir), _CPU)
    folder = args.export or args.exp_dir / "export"
    print(
        f"{'seconds':>7}  {'what':8} {'by':12} {'ms':>8} {'RTF':>8} {'of torch':>8}"
        f"   (medians of {args.runs})"
    )
    audio = _audio(ours, args.set)
    for seconds in args.seconds:
        samples = audio[: round(seconds * ours.features.sampling_rate)]
        for what, calls in _calls(ours, folder, samples):
            times = _time(calls, args.runs)
            for name, taken in times.items():
                middle = statistics.median(taken)
                pairs = zip(taken, times["torch"], strict=True)
                ratio = statistics.median(own / theirs for own, theirs in pairs)
                print(
                    f"{seconds:7g}  {what:8} {name:12} {1e3 * middle:8.1f} "
                    f"{middle / seconds:8.5f} {ratio:8.2f}",
                    flush=True,
                )
    return 0


def _audio(recognizer: Recognizer, name: str) -> np.ndarray:
    """Return the utterances of a set, one behind the other."""
    cuts = load_cuts(Path(recognizer.config.data.manifests), name)
    batches = open_batches(recognizer, cuts.subset(first=20), World(0, 1, _CPU))
    return np.concatenate(
        [
            row[:length].numpy()
            for batch in batches
            for row, length in zip(
                batch.signal, batch.signal_lens.tolist(), strict=True
            )
        ]
    )


def _calls(
    ours: Recognizer, folder: Path, samples: np.ndarray
) -> Iterator[tuple[str, Calls]]:
    """Yield what is timed: a name, and what does it."""
    rate = ours.features.sampling_rate
    full, small = (Exported.load(folder, int8=int8) for int8 in (False, True))
    feats = full.fbank(samples)
    tensors = torch.from_numpy(feats)[None], torch.tensor([len(feats)])
    arrays = tuple(one.numpy() for one in tensors)
    encode: Calls = {
        "torch": lambda: ours.model.joiner.enc_proj(ours.model.encode(*tensors)[0]),
        "onnxruntime": lambda: full.encoder(*arrays),
        "8 bits": lambda: small.encoder(*arrays),
    }
    yield "encoder", encode
    whole: Calls = {
        "torch": partial(_recognize, ours, samples),
        "onnxruntime": lambda: full.transcribe(samples, rate),
        "8 bits": lambda: small.transcribe(samples, rate),
    }
    if find_spec("sherpa_onnx"):
        whole["sherpa-onnx"] = partial(_ask_sherpa, _sherpa(folder), samples, rate)
    yield "all", whole


def _recognize(recognizer: Recognizer, samples: np.ndarray) -> None:
    audio, rate = torch.from_numpy(samples), recognizer.features.sampling_rate
    encoded = recognizer.encode(audio_batch([audio], rate))
    GreedySearch(1)(recognizer.model, *encoded)


def _sherpa(folder: Path) -> object:
    import sherpa_onnx

    names = {name: f"{folder}/{name}.onnx" for name in ("encoder", "decoder", "joiner")}
    tokens = f"{folder}/tokens.txt"
    return sherpa_onnx.OfflineRecognizer.from_transducer(
        **names, tokens=tokens, num_threads=1
    )


def _ask_sherpa(recognizer: object, samples: np.ndarray, rate: int) -> None:
    stream = recognizer.create_stream()  # type: ignore[attr-defined]
    stream.accept_waveform(rate, samples)
    recognizer.decode_stream(stream)  # type: ignore[attr-defined]


@torch.inference_mode()
def _time(calls: Calls, runs: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each call, all in turn, after a round that warms up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(runs + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            times[name].append(time.process_time() - start)
    return {name: taken[1:] for name, taken in times.items()}


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parse.add_argument
    add("--exp-dir", type=Path, required=True, help="a trained run")
    add("--export", type=Path, help="its files (default: EXP_DIR/export)")
    add("--set", default="dev", help="set of the run that is heard (default: dev)")
    add("--seconds", type=float, nargs="+", default=[2.0, 10.0, 30.0])
    add("--runs", type=int, default=15, help="rounds that medians are of")
    return parse


if __name__ == "__main__":
    run(main)
