"""ScaledAdam: Adam that moves every tensor in proportion to its size."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from asrkit.training.optimizers.optim import OptimConfig
from asrkit.training.sharding import local, norms, sum_parts
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class ScaledAdamConfig(OptimConfig):
    """ScaledAdam (Yao et al., 2024); it clips itself: set trainer.clip_norm=inf."""

    lr: float = 0.045
    """Peak learning rate, relative to the size of a tensor; the schedule multiplies
    it."""
    betas: list[float] = field(default_factory=lambda: [0.9, 0.98])
    """Decay of the running mean and of the running square."""
    eps: float = 1e-8
    """Added to the root of the running square."""
    scale_lr: float = 0.1
    """Learning rate of a tensor's size, as a multiple of `lr`."""
    min_rms: float = 1e-5
    """Smallest size to move by, so that tensors of zeros move at all."""
    max_rms: float = 3.0
    """Tensors above this size are made smaller, whatever their gradient."""
    clip: float = 2.0
    """Largest norm of the gradient, as a multiple of the median of earlier ones."""
    clip_window: int = 100
    """Updates that the median is taken over."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_range(self, "optim", "betas", least=0, below=1)
        check_range(self, "optim", "eps", "scale_lr", "min_rms", least=0)
        check_range(self, "optim", "max_rms", "clip", above=0)
        check_range(self, "optim", "clip_window", least=1)

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        """Make the optimizer of the module's trainable parameters."""
        return ScaledAdam(
            [p for p in module.parameters() if p.requires_grad],
            lr=self.lr,
            betas=(self.betas[0], self.betas[1]),
            eps=self.eps,
            scale_lr=self.scale_lr,
            min_rms=self.min_rms,
            max_rms=self.max_rms,
            clip=self.clip,
            clip_window=self.clip_window,
        )


class ScaledAdam(torch.optim.Optimizer):
    """Adam on the direction and on the scale of each tensor (Yao et al., 2024).

    A tensor is seen as its scale, the root mean square of its elements, times a tensor
    of scale 1, and both are updated by Adam. With m, v the running mean and square of
    the gradient g of a tensor w, n, s those of the inner product of g and w, r the
    scale of w, and c Adam's bias correction:

        w <- w - lr c (r m / (sqrt(v) + eps) + scale_lr w n / (sqrt(s) + eps))

    (equations 6 and 7 of the paper). Before that, gradients are clipped: their norm,
    each tensor's weighted by its scale, to `clip` times the median of its values in the
    last `clip_window` updates. All tensors are updated at once.

    Args:
        parameters: What to train.
        lr: Learning rate.
        betas: Decay of the running mean and of the running square.
        eps: Added to the roots.
        scale_lr: Learning rate of the scales, as a multiple of `lr`.
        min_rms: Smallest scale to move by.
        max_rms: Scales above this shrink as fast as they can.
        clip: Largest norm, as a multiple of the median.
        clip_window: Updates that the median is taken over.
    """

    def __init__(
        self,
        parameters: list[nn.Parameter],
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        scale_lr: float,
        min_rms: float,
        max_rms: float,
        clip: float,
        clip_window: int,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "updates": 0})
        self.betas = betas
        self.eps = eps
        self.scale_lr = scale_lr
        self.min_rms = min_rms
        self.max_rms = max_rms
        self.clip = clip
        self.clip_window = clip_window

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                self._step(parameters, group)

    def _step(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Update the parameters of a group."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        roots = [p.numel() ** 0.5 for p in parameters]
        rms = torch.stack(torch._foreach_div(list(norms(parameters)), roots))
        moved_by = rms.clamp(min=self.min_rms)
        self._clip(gradients, moved_by, group)
        group["updates"] += 1
        directions, scales = self._directions(parameters, gradients)
        # Adam's directions are around 1 at most: what is too large shrinks at full
        # rate.
        scales = torch.where(rms > self.max_rms, 1.0, scales)
        beta1, beta2 = (1.0 - beta ** group["updates"] for beta in self.betas)
        # Adam's bias corrections of both moments (Kingma and Ba, 2015, section 3).
        rate = group["lr"] * beta2**0.5 / beta1
        scales = 1.0 - rate * self.scale_lr * scales
        parts = [local(p) for p in parameters]
        torch._foreach_mul_(parts, list(scales))
        torch._foreach_addcmul_(parts, directions, list(moved_by), value=-rate)

    def _clip(
        self, gradients: list[Tensor], rms: Tensor, group: dict[str, Any]
    ) -> None:
        """Bring the gradients' norm down to `clip` times the median of the past."""
        norm = (norms(gradients) * rms).norm()
        # Kept with the first parameter: so it is saved, loaded and moved like the rest.
        state = self.state[group["params"][0]]
        if "norms" not in state:
            state["norms"] = norm.new_zeros(self.clip_window)
        past = state["norms"][: group["updates"]]
        if len(past):
            factor = (self.clip * past.median() / norm).clamp(max=1.0)
            torch._foreach_mul_([local(g) for g in gradients], factor)
        state["norms"][group["updates"] % self.clip_window] = norm

    def _directions(
        self, parameters: list[Tensor], gradients: list[Tensor]
    ) -> tuple[list[Tensor], Tensor]:
        """Return Adam's directions for tensors and, (N,), for their scales."""
        gradients = [local(g) for g in gradients]
        pairs = zip(gradients, map(local, parameters), strict=True)
        # d loss / d log(scale) of w = r w', by the chain rule: the inner product of g
        # and w.
        products = torch.stack([torch.dot(g.flatten(), p.flatten()) for g, p in pairs])
        gradients += list(sum_parts(products, parameters))
        beta1, beta2 = self.betas
        mean = self._running("mean", parameters)
        square = self._running("square", parameters)
        torch._foreach_lerp_(mean, gradients, 1.0 - beta1)
        torch._foreach_mul_(square, beta2)
        torch._foreach_addcmul_(square, gradients, gradients, 1.0 - beta2)
        root = torch._foreach_sqrt(square)
        torch._foreach_add_(root, self.eps)
        directions = torch._foreach_div(mean, root)
        number = len(parameters)
        return list(directions[:number]), torch.stack(directions[number:])

    def _running(self, name: str, parameters: list[Tensor]) -> list[Tensor]:
        """Return running tensors of the parameters, then those of their scales.

        Of parameters that are shared out they are this process's parts.
        """
        for parameter in parameters:
            state = self.state[parameter]
            if name not in state:
                state[name] = torch.zeros_like(parameter)
                state[f"scale_{name}"] = local(parameter).new_zeros(())
        tensors = [local(self.state[p][name]) for p in parameters]
        return tensors + [self.state[p][f"scale_{name}"] for p in parameters]
