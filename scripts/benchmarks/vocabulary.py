#!/usr/bin/env python3
r"""Transducer losses over the size of the vocabulary: time, memory, error of gradients.

Every loss has a process of its own, with one thread; a round takes each once, so that
other work on the machine meets all alike. Times are medians of the rounds; one that
takes long has a single one. Memory is the peak over the imports, inputs and gradients
included. The products that are counted are all that a pass makes. Errors are of
gradients against those of the exact loss, means over some draws.

    scripts/benchmarks/vocabulary.py --plot docs/losses_vocabulary.png
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from itertools import product
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import find_asrkit  # noqa: F401
import torch
from losses import Inputs, full, fused, pruned
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from asrkit.losses.sampled import sum_posteriors
from asrkit.pipeline.memory.heap import steady_heap
from asrkit.transducer.checks import trusted
from asrkit.transducer.sampled import sampled_loss
from asrkit.transducer.sampling import Scope, sample_vocabulary
from asrkit.utils.memory import PeakMemory, reset_peak_memory

Result = dict[str, Any]

SLOW = 4.0  # seconds of a pass that is made in the first round only
HOMOPHONES = 8  # tokens that resemble each other


class Trained(Inputs):
    """A batch as a model in the middle of its training sees it, by construction.

    Labels have the frequencies of Zipf and Mandelbrot, 1 / (rank + 10), and the bias is
    their logarithm. Rows of the output layer come in groups of eight, which correlate
    by a half. Each label is spoken in one frame: there the encoder's projection is half
    the label's row and noise, elsewhere half of blank's and noise; the predictor's is a
    tenth of the next label's and noise. The exact loss is then 2 to 3 nats a label.

    Args:
        shape: "B,T,U,V,J".
        num_samples: Tokens that are drawn.
    """

    def __init__(self, shape: str, num_samples: int) -> None:
        super().__init__(shape, "cpu", torch.float32)
        self.num_samples = num_samples
        self.counts = torch.zeros(self.V)
        self.counts[1:] = 1.0 / (torch.arange(1, self.V) + 10.0)
        expanded = self.counts.expand(self.B, -1)
        self.tokens = expanded.multinomial(self.U, replacement=True)
        groups = torch.arange(self.V) % max(2, self.V // HOMOPHONES)
        rows = torch.randn(int(groups.max()) + 1, self.J)[groups]
        rows = 0.5**0.5 * rows.add_(torch.randn(self.V, self.J))
        frames = (torch.arange(self.U) + 0.5) * self.T / self.U
        spoken = torch.zeros(self.B, self.T, dtype=torch.int64)
        spoken.scatter_(1, frames.long().expand(self.B, -1), self.tokens)
        coming = torch.nn.functional.pad(self.tokens, (0, 1))
        with torch.no_grad():
            self.weight.copy_(rows * 1.5 * self.J**-0.5)
            self.bias[1:] = (self.counts / self.counts.sum())[1:].log()
            self.enc.copy_(0.5 * rows[spoken] + torch.randn_like(self.enc))
            self.pred.copy_(0.1 * rows[coming] + torch.randn_like(self.pred))
            # Of a CTC head that knows as much as the joiner does without labels.
            logits = self.enc.tanh() @ self.weight.T + self.bias
        self.ctc_log_probs = logits.log_softmax(dim=-1)

    @cached_property
    def linear(self) -> tuple[Tensor, Tensor]:
        """The linear joiner of pruned training: it knows what the joiner does."""
        first, second = self.weight.detach().clone(), self.weight.detach().clone()
        return first.requires_grad_(), second.requires_grad_()


def ctc(x: Trained) -> Tensor:
    """Sum the CTC posterior, (B, V); that it is there is CTC's cost."""
    return sum_posteriors(x.ctc_log_probs, x.enc_lens)


PROPOSALS: dict[str, Callable[[Trained], Tensor | None]] = {
    "uniform": lambda _: None,
    "unigram": lambda x: x.counts,
    "CTC": ctc,
}


def sampled(
    x: Trained,
    scope: Scope,
    proposal: str,
    share: float = 1.0,
    *,
    log_q_correction: bool = True,
) -> Tensor:
    """Softmax over a sample, of a share of `num_samples` tokens that are drawn."""
    sample = sample_vocabulary(
        x.tokens,
        x.token_lens,
        x.V,
        int(share * x.num_samples),
        scope=scope,
        proposal=PROPOSALS[proposal](x),
    )
    return sampled_loss(
        *x.side, *x.batch, vocabulary=sample, log_q_correction=log_q_correction
    )


Loss = Callable[[Trained], Tensor]
LOSSES: dict[str, Loss] = {"full": full, "fused": fused, "pruned": pruned}
LOSSES |= {
    f"sampled, {scope.value}, {name}": partial(sampled, scope=scope, proposal=name)
    for scope, name in product(Scope, PROPOSALS)
}
LOSSES["the last, a quarter drawn"] = partial(
    sampled, scope=Scope.UTTERANCE, proposal="CTC", share=0.25
)
EXACT = "fused"
DRAWN = (*LOSSES,)[:3] + tuple(f"sampled, {scope.value}, CTC" for scope in Scope)
# What gradients are compared with, by the heading of their errors.
CORRECTED: dict[str, Result] = {
    "corrected": {"log_q_correction": True},
    "as drawn": {"log_q_correction": False},
}
WITHOUT_DRAWS: dict[str, Result] = {"full": {}, "pruned": {"simple_scale": 0.0}}


class Products(TorchDispatchMode):
    """Counts the multiply-adds of matrix products."""

    total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Count one, and make it."""
        name = func.overloadpacket.__name__
        if name in ("mm", "addmm", "addmm_", "bmm"):
            first, second = args[-2:]
            self.total += first.numel() * second.shape[-1]
        return func(*args, **kwargs or {})


class Measured:
    """A loss in a process of its own.

    Args:
        loss: Computes it.
        shape: "B,T,U,V,J".
        num_samples: Tokens that are drawn.
    """

    def __init__(self, loss: Loss, shape: str, num_samples: int) -> None:
        torch.set_num_threads(1)
        self.loss = loss
        self.x = Trained("1,3,1,9,2", 1)
        self.first()  # what is imported on the way is not the loss's memory
        self.memory = PeakMemory(torch.device("cpu"))
        self.x = Trained(shape, num_samples)
        # Inputs count, what they were made of does not; nor does CTC's posterior.
        reset_peak_memory(torch.device("cpu"))
        self.memory.before += self.x.ctc_log_probs.nbytes / 2**20

    def run(self, **options: Any) -> Tensor:
        """Make a pass; return the loss."""
        for leaf in self.x.side:
            leaf.grad = None
        with trusted():
            loss = self.loss(self.x, **options)
            loss.backward()
        return loss.detach()

    def first(self) -> Result:
        """Make a pass that counts products; its time and memory do not count."""
        with Products() as products:
            loss = self.run()
        self.x.weight.grad = None
        reset_peak_memory(torch.device("cpu"))
        labels = self.x.B * self.x.U
        return {"products": products.total, "loss": loss.item() / labels}

    def seconds(self) -> float:
        """Time a pass."""
        start = time.perf_counter()
        self.run()
        return time.perf_counter() - start

    def mib(self) -> float:
        """Return the peak of all passes so far."""
        return self.memory.read()

    def gradients(self) -> list[Tensor]:
        """Return those of the last pass, of the encoder's side and the weight."""
        found = self.x.enc.grad, self.x.weight.grad
        return [x.flatten() for x in found if x is not None]

    def keep(self, path: Path) -> None:
        """Write the last pass's gradients."""
        torch.save(self.gradients(), path)

    def errors(self, path: Path, draws: int, options: Result) -> list[list[float]]:
        """Return relative error and cosine of both gradients; means over draws."""
        exact = torch.load(path, weights_only=True)
        torch.manual_seed(1)
        found = []
        for _ in range(draws):
            self.run(**options)
            pairs = list(zip(self.gradients(), exact, strict=True))
            found.append([_error(a, b) for a, b in pairs])
        return torch.tensor(found).mean(dim=0).tolist()


def _error(found: Tensor, exact: Tensor) -> list[float]:
    """Return relative error and cosine."""
    relative = (found - exact).norm() / exact.norm()
    return [relative.item(), torch.cosine_similarity(found, exact, dim=0).item()]


def serve(pipe: Connection, *arguments: Any) -> None:
    """Answer (name, arguments) of `Measured`'s methods until there are no more."""
    measured = Measured(*arguments)
    while True:
        name, *rest = pipe.recv()
        if name == "end":
            return
        pipe.send(getattr(measured, name)(*rest))


class Worker:
    """A process that measures a loss; started by a fork, imports cost nothing."""

    def __init__(self, *arguments: Any) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, other = context.Pipe()
        self.process = context.Process(
            target=serve, args=(other, *arguments), daemon=True
        )
        self.process.start()
        other.close()

    def ask(self, name: str, *rest: Any) -> Any:
        """Call a method of `Measured`."""
        self.pipe.send((name, *rest))
        return self.pipe.recv()

    def end(self) -> None:
        """End the process."""
        self.pipe.send(("end",))
        self.process.join()


def measure(args: argparse.Namespace, V: int, folder: Path) -> list[Result]:
    """Measure all losses at one size of the vocabulary."""
    B, T, U, J = map(int, args.shape.split(","))
    logits_gb = 4e-9 * B * T * (U + 1) * V
    workers = {
        name: Worker(loss, f"{B},{T},{U},{V},{J}", args.num_samples)
        for name, loss in LOSSES.items()
        if name != "full" or logits_gb <= args.most_gb
    }
    results = {name: worker.ask("first") for name, worker in workers.items()}
    times: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(args.rounds):
        for name, worker in workers.items():
            if not times[name] or times[name][-1] < SLOW:
                times[name].append(worker.ask("seconds"))
    path = folder / "exact.pt"
    workers[EXACT].ask("keep", path)
    for name, worker in workers.items():
        result = results[name]
        result |= {"V": V, "mode": name, "rounds": len(times[name])}
        result["weight_mib"] = 2 * 4 * V * J / 2**20
        result |= {"seconds": statistics.median(times[name]), "mib": worker.ask("mib")}
        if name in WITHOUT_DRAWS:
            result["corrected"] = worker.ask("errors", path, 1, WITHOUT_DRAWS[name])
        elif name != EXACT:
            for key, options in CORRECTED.items():
                result[key] = worker.ask("errors", path, args.draws, options)
        worker.end()
    return list(results.values())


def show(results: Sequence[Result]) -> None:
    """Print a table for each size of the vocabulary, with ratios to `fused`."""
    for V in dict.fromkeys(r["V"] for r in results):
        rows = [r for r in results if r["V"] == V]
        exact = next(r for r in rows if r["mode"] == EXACT)
        print(f"\nV = {V}: {exact['loss']:.2f} nats a label; errors: relative, cosine\n"
              f"{'':27}{'seconds':>8}{'ratio':>7}{'MiB':>8}{'ratio':>6}{'products':>10}"
              f"{'d enc_proj':>14}{'d weight':>14}{'without log q':>16}")  # fmt: skip
        for r in rows:
            found = [f"{r[k] / exact[k]:.3f}" for k in ("seconds", "mib", "products")]
            errors = [f"{e:.3f} {c:.3f}" for e, c in r.get("corrected", [])]
            errors += [f"{e:.3f} {c:.3f}" for e, c in r.get("as drawn", [])[1:]]
            print(
                f"{r['mode']:27}{r['seconds']:8.3f}{found[0]:>7}{r['mib']:8.1f}"
                f"{found[1]:>6.4}{found[2]:>10}"
                + "".join(f"{text:>14}" for text in errors)
            )


def _weight_error(result: Result, key: str) -> float:
    """Return the relative error of the weight's gradient."""
    return result[key][1][0]


def plot(results: Sequence[Result], path: Path) -> None:
    """Draw seconds, memory and the error of the weight's gradient over V."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 4.6), layout="constrained")
    exact = [r for r in results if r["mode"] == EXACT]
    sizes = [r["V"] for r in exact]

    def draw(
        axis: Any, mode: str, value: Callable[[Result], float], **look: Any
    ) -> None:
        rows = [r for r in results if r["mode"] == mode]
        axis.plot([r["V"] for r in rows], [*map(value, rows)], marker="o", **look)

    for mode in DRAWN:
        draw(axes[0], mode, lambda r: r["seconds"], label=mode)
        draw(axes[1], mode, lambda r: r["mib"], label=mode)
    look = {"linestyle": "--", "color": "gray", "label": "weight and its gradient"}
    axes[1].plot(sizes, [r["weight_mib"] for r in exact], **look)
    for number, proposal in enumerate(PROPOSALS):
        for key, style in (("as drawn", ":"), ("corrected", "-")):
            look = {"linestyle": style, "color": f"C{number}"}
            label = f"{proposal}, {'log q' if key == 'corrected' else 'without'}"
            mode = f"sampled, utterance, {proposal}"
            draw(axes[2], mode, partial(_weight_error, key=key), label=label, **look)
    titles = ("seconds", "peak memory, MiB", "relative error of d weight, utterance")
    for axis, title in zip(axes, titles, strict=True):
        axis.set(xscale="log", xlabel="V", title=title)
        axis.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axis.minorticks_off()
        axis.grid(visible=True, alpha=0.3)
        if axis is not axes[2]:
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter("{x:g}")
        axis.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15))
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure and print; write JSON and a plot if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sizes", nargs="+", type=int, default=[500, 4233, 10_000, 50_000], help="V")
    add("--shape", default="4,120,16,512", help="B,T,U,J")
    add("--num-samples", type=int, default=500, help="tokens that are drawn")
    add("--rounds", type=int, default=3)
    add("--draws", type=int, default=3, help="over which errors are averaged")
    add("--most-gb", type=float, default=1.0, help="logits that full may have")
    add("--json", type=Path, help="write all figures here")
    add("--plot", type=Path, help="draw them over V")
    args = parser.parse_args()
    steady_heap(torch.device("cpu"))  # what inputs are made of goes back to the system
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        for V in args.sizes:
            results += measure(args, V, Path(folder))
            print(f"V = {V} measured", file=sys.stderr)
    show(results)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    if args.plot:
        plot(results, args.plot)


if __name__ == "__main__":
    main()
