"""`scripts/tune_decode.py --exp-dir exp/x --lm lm.arpa`: find a search's scales."""

import argparse
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asrkit.cli.logs import start_logging
from asrkit.cli.overrides import apply_overrides
from asrkit.data.corpora.manifests import load_cuts
from asrkit.decoding.fusion.internal_lm import InternalLm
from asrkit.decoding.fusion.rescoring import SentenceModel
from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.pipeline.decode.fusion import open_lm
from asrkit.pipeline.decode.recognizer import Recognizer, load_recognizer
from asrkit.pipeline.decode.tune import Tried, collect, search_scales
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.training.distributed import choose_device
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)

_SHOWN = 8  # settings in the table
_KEYS = {"lm": "lm_scale", "ilm": "ilm_scale", "lodr": "lodr_scale"}
_SIGNS = {"lm": 1.0, "ilm": -1.0, "lodr": -1.0}


def main(argv: list[str] | None = None) -> int:
    """Tune; return the exit status."""
    args = parser().parse_args(argv)
    start_logging(args.exp_dir / "log" if args.exp_dir.is_dir() else None, "tune")
    search = [f"decode={args.method}", f"decode.beam={args.beam}"]
    chunks = {"decode.chunk": args.chunk, "decode.left": args.left}
    search += [f"{key}={value}" for key, value in chunks.items() if value is not None]
    recognizer = load_recognizer(
        find_checkpoint(args.exp_dir),
        choose_device(args.device),
        change=lambda config: apply_overrides(
            config, [*search, f"decode.nbest={args.beam}"]
        ),
    )
    models = _open_models(args, recognizer)
    data = recognizer.config.data
    names = args.sets or data.dev
    folder = Path(data.manifests)
    cuts = load_cuts(folder, names[0])
    for name in names[1:]:
        cuts = cuts + load_cuts(folder, name)
    logger.info("decoding %s once, %d hypotheses each", ", ".join(names), args.beam)
    lists = collect(recognizer, cuts, models, args.blank_penalties)
    scales = {
        name: [_SIGNS[name] * value for value in getattr(args, f"{name}_scales")]
        for name in models
    }
    tried = search_scales(lists, scales)
    out_dir = args.out_dir or args.exp_dir / "decode" / "tune"
    _report(tried, args, search, out_dir, recognizer.config.decode.unit)
    return 0


def _open_models(
    args: argparse.Namespace, recognizer: Recognizer
) -> dict[str, SentenceModel]:
    """Open what may be fused, by name."""
    models: dict[str, SentenceModel] = {}
    for name in ("lm", "lodr"):
        path = getattr(args, name)
        if path is not None:
            models[name] = open_lm(path, recognizer.tokenizer, recognizer.device)
    if args.lm is not None:
        models["ilm"] = InternalLm(recognizer.model)
    return models


def _report(
    tried: Sequence[Tried],
    args: argparse.Namespace,
    search: list[str],
    out_dir: Path,
    unit: ErrorUnit,
) -> None:
    """Print the best settings and the command that uses them; write what was tried."""
    best = tried[0]
    plain = next(
        one for one in tried if not one.blank_penalty and not any(one.scales.values())
    )
    print(f"{len(tried)} settings tried; {unit.rate} % on dev by rescoring:")
    print(f"{plain.rate:8.2f}  nothing fused")
    for one in tried[:_SHOWN]:
        print(f"{one.rate:8.2f}  {' '.join(_settings(one, args))}")
    with atomic_write(out_dir / "tune.json") as file:
        listed = [_as_plain(one, unit) for one in tried]
        file.write(json.dumps(listed, indent=1).encode())
    plot = out_dir / "tune.png"
    if draw(tried, plot, unit):
        print(f"{unit.rate} over each scale: {plot}")
    chosen = " ".join([*search, *_settings(best, args)])
    print(f"use: scripts/decode.py --exp-dir {args.exp_dir} {chosen}")


def _as_plain(one: Tried, unit: ErrorUnit) -> dict[str, Any]:
    """Return it for a JSON file, the error rate by its name."""
    plain = asdict(one)
    rate = plain.pop("rate")
    return {**plain, unit.scalar: rate}


def _settings(one: Tried, args: argparse.Namespace) -> list[str]:
    """Write a setting as overrides of scripts/decode.py."""
    settings = [f"decode.blank_penalty={one.blank_penalty:g}"]
    for name, value in one.scales.items():
        if name != "ilm" and value:
            settings.append(f"decode.fusion.{name}={getattr(args, name)}")
        settings.append(f"decode.fusion.{_KEYS[name]}={_SIGNS[name] * value + 0.0:g}")
    return settings


def draw(tried: Sequence[Tried], path: Path, unit: ErrorUnit) -> bool:
    """Draw the best rate for each value of each scale; False without matplotlib."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        logger.info("no plot: pip install 'asrkit[plot]' for one")
        return False
    curves = {"blank_penalty": _lowest((one.blank_penalty, one.rate) for one in tried)}
    for name in tried[0].scales:
        curves[_KEYS[name]] = _lowest(
            (_SIGNS[name] * one.scales[name] + 0.0, one.rate) for one in tried
        )
    figure, axes = plt.subplots(
        1, len(curves), figsize=(3.2 * len(curves), 3), sharey=True, squeeze=False
    )
    for axis, (name, curve) in zip(axes[0], curves.items(), strict=True):
        axis.plot(list(curve), list(curve.values()), marker="o", color="#2a6f97")
        axis.set_xlabel(name)
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel(f"best {unit.rate} on dev, %")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return True


def _lowest(pairs: Iterable[tuple[float, float]]) -> dict[float, float]:
    """Return the lowest rate for each value, from (value, rate), by value."""
    lowest: dict[float, float] = {}
    for value, rate in sorted(pairs):
        lowest.setdefault(value, rate)
    return lowest


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    text = (
        "Finds blank penalty and scales of language models on dev: decodes once into "
        "n-best lists, scores every hypothesis in every way, and tries all "
        "combinations on the lists."
    )
    parse = argparse.ArgumentParser(description=text)
    add = parse.add_argument
    add("--exp-dir", type=Path, required=True, help="folder of the run")
    add("--sets", nargs="+", help="sets to tune on (default: data.dev of the run)")
    add("--lm", help="language model: *.arpa[.gz], or a checkpoint or folder")
    add("--lodr", help="bigram of the training's transcripts, *.arpa[.gz]")
    add("--method", default="beam_search", help="beam search to use")
    add("--beam", type=int, default=16, help="hypotheses of each utterance")
    add("--chunk", type=float, help="seconds that are encoded at once, as decode.chunk")
    add("--left", type=int, help="chunks before its own that are seen, as decode.left")
    penalties = [0.0, 0.5, 1.0, 1.5, 2.0]
    add("--blank-penalties", type=float, nargs="+", default=penalties)
    scales = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8]
    add("--lm-scales", type=float, nargs="+", default=scales)
    add("--ilm-scales", type=float, nargs="+", default=[0.0, 0.1, 0.2, 0.3])
    add("--lodr-scales", type=float, nargs="+", default=[0.0, 0.1, 0.2, 0.3])
    add("--out-dir", type=Path, help="default: EXP_DIR/decode/tune")
    add("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    return parse
