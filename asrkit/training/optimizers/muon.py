"""Muon for matrices, AdamW for the rest (Jordan et al., 2024)."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from asrkit.training.optimizers.optim import OptimConfig
from asrkit.training.sharding import local, part_of, whole
from asrkit.utils.ranges import check_range

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic iteration


@dataclass(kw_only=True)
class MuonConfig(OptimConfig):
    """Muon for the weight matrices inside the networks, AdamW for all else."""

    lr: float = 3e-3
    """Peak learning rate of AdamW; the schedule multiplies it."""
    matrix_lr: float = 2e-2
    """Peak learning rate of Muon, the schedule's factor likewise."""
    momentum: float = 0.95
    """Decay of Muon's running gradient."""
    steps: int = 5
    """Newton-Schulz iterations."""
    betas: list[float] = field(default_factory=lambda: [0.9, 0.98])
    """AdamW: decay of the running mean and of the running square."""
    eps: float = 1e-8
    """AdamW: added to the root of the running square."""
    weight_decay: float = 1e-2
    """Decoupled decay of matrices."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_range(self, "optim", "matrix_lr", above=0)
        check_range(self, "optim", "betas", "momentum", least=0, below=1)
        check_range(self, "optim", "steps", least=1)
        check_range(self, "optim", "eps", "weight_decay", least=0)

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        """Make the optimizer of the module's trainable parameters."""
        matrices = {
            id(part.weight): part.weight
            for part in module.modules()
            if isinstance(part, nn.Linear) and part.weight.requires_grad
        }
        others = [
            p for p in module.parameters() if p.requires_grad and id(p) not in matrices
        ]
        adam = {"lr": self.lr, "betas": tuple(self.betas), "eps": self.eps}
        groups: list[dict[str, Any]] = [
            {**adam, "params": [p for p in others if p.ndim >= 2]},
            {**adam, "params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
            {"params": [*matrices.values()], "lr": self.matrix_lr, "muon": True},
        ]
        return Muon(
            [group for group in groups if group["params"]],
            momentum=self.momentum,
            steps=self.steps,
            weight_decay=self.weight_decay,
        )


class Muon(torch.optim.Optimizer):
    """Moves a matrix along the orthogonal factor of its running gradient.

    All singular values of an update are close to 1, so that rare directions learn as
    fast as frequent ones. Matrices of one shape are orthogonalised in one batch. Groups
    without `muon=True` are updated by AdamW.

    Args:
        groups: Parameter groups with `lr`; those of AdamW with `betas` and `eps`.
        momentum: Decay of the running gradient (Nesterov).
        steps: Newton-Schulz iterations.
        weight_decay: Decoupled decay, for groups that do not set their own.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        *,
        momentum: float,
        steps: int,
        weight_decay: float,
    ) -> None:
        defaults = {"weight_decay": weight_decay, "muon": False}
        super().__init__(groups, defaults)
        self.momentum = momentum
        self.steps = steps

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            parts = [local(p) for p in parameters]
            torch._foreach_mul_(parts, 1.0 - group["lr"] * group["weight_decay"])
            if group["muon"]:
                self._step_matrices(parameters, group["lr"])
            else:
                self._step_adam(parameters, group)

    def _step_matrices(self, parameters: list[Tensor], lr: float) -> None:
        """Update matrices, shape by shape."""
        by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for parameter in parameters:
            by_shape[parameter.shape].append(parameter)
        for shape, alike in by_shape.items():
            gradients = _gradients(alike)
            running = [self._state(p, "running") for p in alike]
            # Nesterov's momentum on the gradient itself: m <- mu m + (1 - mu) g, then a
            # step along mu m + (1 - mu) g. A factor common to both is lost in what
            # follows.
            torch._foreach_lerp_(running, gradients, 1.0 - self.momentum)
            ahead = torch._foreach_lerp(gradients, running, self.momentum)
            # Of shared matrices every process orthogonalises the whole.
            pairs = zip(ahead, alike, strict=True)
            matrices = torch.stack([whole(part, p) for part, p in pairs])
            updates = orthogonalize(matrices, self.steps).to(alike[0].dtype)
            own = [local(part_of(u, p)) for u, p in zip(updates, alike, strict=True)]
            # More rows than columns: each output moves as far as in a square one.
            scale = -lr * max(1.0, shape[0] / shape[1]) ** 0.5
            torch._foreach_add_([local(p) for p in alike], own, alpha=scale)

    def _step_adam(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Update the rest (Kingma and Ba, 2015)."""
        beta1, beta2 = group["betas"]
        group["updates"] = updates = group.get("updates", 0) + 1
        gradients = _gradients(parameters)
        mean = [self._state(p, "mean") for p in parameters]
        square = [self._state(p, "square") for p in parameters]
        # Their algorithm 1; decay is decoupled (Loshchilov and Hutter, 2019): it was
        # done above, outside the moments.
        torch._foreach_lerp_(mean, gradients, 1.0 - beta1)
        torch._foreach_mul_(square, beta2)
        torch._foreach_addcmul_(square, gradients, gradients, 1.0 - beta2)
        root = torch._foreach_sqrt(square)
        torch._foreach_div_(root, (1.0 - beta2**updates) ** 0.5)
        torch._foreach_add_(root, group["eps"])
        step = -group["lr"] / (1.0 - beta1**updates)
        torch._foreach_addcdiv_([local(p) for p in parameters], mean, root, step)

    def _state(self, parameter: Tensor, name: str) -> Tensor:
        """Return a parameter's running tensor, or this process's part; 0 at first."""
        state = self.state[parameter]
        if name not in state:
            state[name] = torch.zeros_like(parameter)
        return local(state[name])


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    """Return the gradients of parameters that all have one, or the parts of them."""
    return [local(p.grad) for p in parameters if p.grad is not None]


def orthogonalize(matrices: Tensor, steps: int) -> Tensor:
    """Push the singular values of matrices towards 1 by Newton-Schulz iterations.

    Args:
        matrices: (N, rows, columns).
        steps: Iterations; 5 bring singular values from 0.01 to within 0.7 and 1.2.

    Returns:
        (N, rows, columns), bfloat16 on a GPU, float32 on a CPU.
    """
    # Each iteration maps a singular value s to a s + b s^3 + c s^5 and leaves the
    # singular vectors; these coefficients rise steeply at 0 and need no convergence to
    # 1 (Jordan et al., 2024). The Frobenius norm bounds the largest one by 1 at first.
    a, b, c = _COEFFICIENTS
    x = matrices.bfloat16() if matrices.is_cuda else matrices.float()
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    # The iterate is a polynomial of the Gram matrix times x. Iterating on that
    # polynomial alone keeps to small square matrices.
    gram = x @ x.mT
    identity = torch.eye(gram.shape[1], dtype=x.dtype, device=x.device)
    polynomial, now = identity.expand_as(gram), gram
    for step in range(steps):
        factor = a * identity + b * now + c * (now @ now)
        polynomial = factor @ polynomial if step else factor
        if step < steps - 1:
            now = polynomial @ gram @ polynomial
    x = polynomial @ x
    return x if wide else x.mT
