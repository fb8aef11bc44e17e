#!/usr/bin/env python3
r"""Transducer losses, joiner included: time and memory of a forward and backward pass.

Every mode and shape runs in a process of its own. Memory is the peak over the imports,
inputs and their gradients included; times are medians. Peers that are not installed are
left out, and named.

    scripts/benchmarks/losses.py --shapes 8,250,60,500,512
    scripts/benchmarks/losses.py --modes fused sample_wise --plot memory.png \
        --shapes 1,250,60,500,512 4,250,60,500,512 16,250,60,500,512
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import find_asrkit  # noqa: F401
import torch
from torch import Tensor

from asrkit.utils.memory import PeakMemory

Result = dict[str, Any]
DURATIONS = (0, 1, 2, 3, 4)


class Inputs:
    """A batch's projections, the joiner's output layer and the transcripts.

    Args:
        shape: "B,T,U,V,J", all of the same length; "librispeech", 30 utterances with
            the lengths of train-clean-100 (mean 318 frames, 0.213 labels each); or a
            manifest, of which 30 utterances lend their lengths.
        device: Where.
        dtype: Of the projections.
    """

    def __init__(self, shape: str, device: str, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        if "," not in shape:
            frames = (torch.randn(30) * 120 + 318).clamp(40, 680).long()
            if shape != "librispeech":
                frames = manifest_frames(Path(shape), 30)
            labels, V, J = (frames * 0.213).round().long(), 500, 512
        else:
            B, T, U, V, J = map(int, shape.split(","))
            frames, labels = torch.full((B,), T), torch.full((B,), U)
        self.B, self.T, self.U = len(frames), int(frames.max()), int(labels.max())
        self.V, self.J = V, J
        self.enc_lens, self.token_lens = frames.to(device), labels.to(device)
        self.tokens = torch.randint(1, V, (self.B, self.U)).to(device)

        def leaf(*size: int, scale: float = 1.0, kind: torch.dtype = dtype) -> Tensor:
            return (torch.randn(*size) * scale).to(device, kind).requires_grad_()

        self.enc = leaf(self.B, self.T, J)
        self.pred = leaf(self.B, self.U + 1, J)
        self.weight = leaf(V, J, scale=J**-0.5, kind=torch.float32)
        self.bias = leaf(V, scale=0.0, kind=torch.float32)

    @cached_property
    def linear(self) -> tuple[Tensor, Tensor]:
        """The linear joiner of pruned training, (V, J) twice."""
        first, second = torch.randn(2, self.V, self.J) * self.J**-0.5
        device = self.enc.device
        return first.to(device).requires_grad_(), second.to(device).requires_grad_()

    @property
    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """tokens, enc_lens, token_lens."""
        return self.tokens, self.enc_lens, self.token_lens

    @property
    def side(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What losses from projections take."""
        return self.enc, self.pred, self.weight, self.bias

    @property
    def with_durations(self) -> tuple[Tensor, Tensor]:
        """Weight (V + Q, J) and bias (V + Q,) of a layer that has durations, too."""
        more = self.weight[: len(DURATIONS)], self.bias[: len(DURATIONS)]
        return torch.cat([self.weight, more[0]]), torch.cat([self.bias, more[1]])

    def join(
        self,
        pred: Tensor | None = None,
        outputs: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Evaluate the joiner in all cells, or in the band of a gathered pred."""
        pred = self.pred[:, None] if pred is None else pred
        hidden = torch.tanh(self.enc[:, :, None] + pred)
        weight, bias = outputs or (self.weight, self.bias)
        weight, bias = weight.to(hidden.dtype), bias.to(hidden.dtype)
        return torch.nn.functional.linear(hidden, weight, bias)

    def simple(self) -> tuple[Tensor, Tensor]:
        """Return am (B, T, V) and lm (B, U + 1, V) in float32."""
        am, lm = (side.to(self.enc.dtype) for side in self.linear)
        return (self.enc @ am.T).float(), (self.pred @ lm.T).float()


def manifest_frames(path: Path, count: int) -> Tensor:
    """Return the encoder frames of utterances taken evenly from a manifest."""
    from lhotse import load_manifest_lazy

    seconds = [cut.duration for cut in load_manifest_lazy(path)]
    return torch.tensor(seconds[:: len(seconds) // count][:count]).mul(25).ceil().long()


def full(x: Inputs) -> Tensor:
    """All logits in memory, our own merged gradient."""
    from asrkit.transducer.full import transducer_loss

    return transducer_loss(x.join(), *x.batch, reuse_logits=True)


def fused(x: Inputs) -> Tensor:
    """Tiled over time."""
    from asrkit.transducer.fused import fused_loss

    return fused_loss(*x.side, *x.batch)


def sample_wise(x: Inputs) -> Tensor:
    """Utterance by utterance."""
    from asrkit.transducer.sample_wise import sample_wise_loss

    return sample_wise_loss(*x.side, *x.batch)


def tdt_full(x: Inputs) -> Tensor:
    """Tokens and durations, all logits in memory."""
    from asrkit.transducer.full import transducer_loss

    logits = x.join(outputs=x.with_durations)
    return transducer_loss(
        logits, *x.batch, durations=DURATIONS, sigma=0.02, reuse_logits=True
    )


def tdt_fused(x: Inputs) -> Tensor:
    """Tokens and durations, tiled over time."""
    from asrkit.transducer.fused import fused_loss

    sides = x.enc, x.pred, *x.with_durations
    return fused_loss(*sides, *x.batch, durations=DURATIONS, sigma=0.02)


def pruned(x: Inputs, simple_scale: float = 0.5) -> Tensor:
    """Simple loss, band of 5, joiner in the band."""
    from asrkit.transducer.pruned import gather_ranges, prune_ranges, pruned_loss
    from asrkit.transducer.simple import simple_loss

    loss, blank, label = simple_loss(*x.simple(), *x.batch, return_occupation=True)
    ranges = prune_ranges(blank, label, x.enc_lens, x.token_lens, s_range=5)
    logits = x.join(gather_ranges(x.pred, ranges))
    inside = pruned_loss(logits, x.tokens, ranges, *x.batch[1:], reuse_logits=True)
    return simple_scale * loss + inside


def sampled(x: Inputs) -> Tensor:
    """A tenth of the vocabulary drawn uniformly."""
    from asrkit.transducer.sampled import sampled_loss
    from asrkit.transducer.sampling import sample_vocabulary

    vocabulary = sample_vocabulary(x.tokens, x.token_lens, x.V, x.V // 10)
    return sampled_loss(*x.side, *x.batch, vocabulary=vocabulary)


def torchaudio(x: Inputs) -> Tensor:
    """All logits in memory, torchaudio's rnnt_loss."""
    from torchaudio.functional import rnnt_loss

    return rnnt_loss(
        x.join().float(),
        *(t.int() for t in x.batch),
        blank=0,
        reduction="sum",
    )


def k2(x: Inputs) -> Tensor:
    """k2's rnnt_loss of all logits."""
    import k2

    zeros = torch.zeros_like(x.enc_lens)
    boundary = torch.stack([zeros, zeros, x.token_lens, x.enc_lens], dim=1)
    logits = x.join().float()
    return k2.rnnt_loss(logits, x.tokens, 0, boundary, reduction="sum")


def k2_pruned(x: Inputs) -> Tensor:
    """k2's simple and pruned loss, a band of 5."""
    import k2

    zeros = torch.zeros_like(x.enc_lens)
    boundary = torch.stack([zeros, zeros, x.token_lens, x.enc_lens], dim=1)
    am, lm = x.simple()
    loss, (px, py) = k2.rnnt_loss_simple(
        lm, am, x.tokens, 0, boundary, reduction="sum", return_grad=True
    )
    ranges = k2.get_rnnt_prune_ranges(px, py, boundary, 5)
    enc, pred = k2.do_rnnt_pruning(x.enc, x.pred, ranges)
    logits = (torch.tanh(enc + pred) @ x.weight.to(enc.dtype).T).float() + x.bias
    return 0.5 * loss + k2.rnnt_loss_pruned(
        logits, x.tokens, ranges, 0, boundary, reduction="sum"
    )


def warprnnt_numba(x: Inputs) -> Tensor:
    """warprnnt_numba's loss of all logits (GPU)."""
    from warprnnt_numba import RNNTLossNumba

    loss = RNNTLossNumba(blank=0, reduction="sum")
    return loss(x.join().float(), *(t.int() for t in x.batch))


def viterbi(x: Inputs) -> Tensor:
    """Frame-wise cross-entropy along a path, every frame in two pieces."""
    from asrkit.transducer.frame_wise import frame_wise_loss, labels_before

    # Labels evenly over the frames.
    spread = (torch.arange(x.U, device=x.enc.device) + 0.5) * x.T / x.U
    frames = (spread * (x.enc_lens / x.T)[:, None]).long()
    frames = frames.clamp(max=x.T - 1)
    alignment = torch.zeros(x.B, x.T, dtype=torch.int64, device=x.enc.device)
    alignment.scatter_(1, frames, x.tokens)
    rows = torch.arange(x.B, device=x.enc.device)[:, None], labels_before(alignment)
    hidden = torch.tanh(x.enc + x.pred[rows]).repeat(2, 1, 1)
    logits = torch.nn.functional.linear(hidden, x.weight.to(hidden.dtype), x.bias)
    log_probs = logits.float().log_softmax(dim=-1)
    lens = x.enc_lens.repeat(2)
    return frame_wise_loss(log_probs, alignment.repeat(2, 1), lens).sum()


def lattice(x: Inputs) -> Tensor:
    """The lattice alone, from random arcs; V and J do not count."""
    from asrkit.transducer.lattices.lattice import lattice as run

    shape = x.B, x.T, x.U + 1
    blank = torch.randn(shape, device=x.enc.device).log_softmax(-1).requires_grad_()
    label = torch.randn(shape, device=x.enc.device)[..., 1:].requires_grad_()
    return -run(blank, label, *x.batch[1:]).log_likelihood.sum()


MODES: dict[str, Callable[[Inputs], Tensor]] = {
    f.__name__: f
    for f in (
        full, fused, sample_wise, tdt_full, tdt_fused, pruned, sampled, viterbi,
        lattice, torchaudio, k2, k2_pruned, warprnnt_numba,
    )
}  # fmt: skip
PEER = "torchaudio"  # what ratios are to


def measure(args: argparse.Namespace) -> Result:
    """Run one mode on one shape in this process."""
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    if args.modes[0] == PEER:
        import torchaudio.functional  # noqa: F401 - an import is not the loss's memory
    memory = PeakMemory(device)
    inputs = Inputs(args.shapes[0], args.device, getattr(torch, args.dtype))
    times = []
    loss = torch.zeros(())
    for _ in range(args.runs + 1):
        _wait(device)
        start = time.perf_counter()
        loss = MODES[args.modes[0]](inputs)
        loss.backward()
        _wait(device)
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times[1:])
    return {"seconds": seconds, "mib": memory.read(), "loss": loss.item()}


def _wait(device: torch.device) -> None:
    """Wait for a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def spawn(args: argparse.Namespace, mode: str, shape: str) -> Result:
    """Run one mode on one shape in a process of its own."""
    options = [
        f"--{n}={getattr(args, n)}" for n in ("device", "dtype", "runs", "threads")
    ]
    command = [sys.executable, __file__, "--worker", "--modes", mode, "--shapes", shape]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        return {"mode": mode, "shape": shape, "error": lines[-1]}
    return {"mode": mode, "shape": shape, **json.loads(done.stdout.splitlines()[-1])}


def show(results: list[Result]) -> None:
    """Print a table per shape, with ratios to the peer where it ran."""
    for shape in dict.fromkeys(r["shape"] for r in results):
        rows = [r for r in results if r["shape"] == shape]
        peer = next((r for r in rows if r["mode"] == PEER and "mib" in r), None)
        print(f"\n{shape}\n{'mode':16}{'seconds':>9}{'ratio':>7}{'MiB':>10}{'ratio':>7}"
              f"{'loss':>14}")  # fmt: skip
        for r in rows:
            if "error" in r:
                print(f"{r['mode']:16}not run: {r['error']}")
                continue
            ratios = ["", ""]
            if peer:
                ratios = [
                    f"{r[k] / max(peer[k], 1e-9):.3f}" for k in ("seconds", "mib")
                ]
            print(
                f"{r['mode']:16}{r['seconds']:9.3f}{ratios[0]:>7}{r['mib']:10.1f}"
                f"{ratios[1]:>7}{r['loss']:14.4f}"
            )


def plot(results: list[Result], path: Path) -> None:
    """Draw memory and time against the batch size, a line a mode."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    good = [r for r in results if "error" not in r and "," in r["shape"]]
    for mode in dict.fromkeys(r["mode"] for r in good):
        rows = [r for r in good if r["mode"] == mode]
        sizes = [int(r["shape"].split(",")[0]) for r in rows]
        for axis, key in zip(axes, ("mib", "seconds"), strict=True):
            axis.plot(sizes, [r[key] for r in rows], marker="o", label=mode)
    ticks = sorted({int(r["shape"].split(",")[0]) for r in good})
    for axis, title in zip(axes, ("peak memory, MiB", "seconds"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="batch size", title=title)
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.minorticks_off()
        axis.grid(visible=True, alpha=0.3)
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure and print; write JSON and a plot if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--modes", nargs="+", choices=list(MODES), default=list(MODES))
    add("--shapes", nargs="+", default=["8,250,60,500,512"], help="or a manifest")
    add("--device", default="cpu")
    add("--dtype", default="float32", choices=["float32", "bfloat16"])
    add("--runs", type=int, default=5, help="after one that does not count")
    add("--threads", type=int, default=2)
    add("--json", type=Path, help="write all figures here")
    add("--plot", type=Path, help="draw memory and time against the batch size")
    add("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(measure(args)))
        return
    results = []
    for shape in args.shapes:
        for mode in args.modes:
            results.append(spawn(args, mode, shape))
            print(json.dumps(results[-1]), file=sys.stderr)
    show(results)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    if args.plot:
        plot(results, args.plot)


if __name__ == "__main__":
    main()
