"""Optimizers and their parameter groups."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class OptimConfig:
    """Base class of the optimizers' settings."""

    lr: float = 1e-3
    """Peak learning rate; the schedule multiplies it."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "optim", "lr", above=0)

    @abstractmethod
    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        """Make the optimizer of the module's trainable parameters."""


@dataclass(kw_only=True)
class AdamConfig(OptimConfig):
    """Base class of what Adam's relatives have in common."""

    betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    """Decay of the running mean and of the running square."""
    eps: float = 1e-8
    """Added to the root of the running square."""
    weight_decay: float = 1e-2
    """Decoupled decay of matrices; vectors (biases, norms) are not decayed."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_range(self, "optim", "betas", least=0, below=1)
        check_range(self, "optim", "eps", "weight_decay", least=0)


@dataclass(kw_only=True)
class AdamWConfig(AdamConfig):
    """AdamW (Loshchilov and Hutter, 2019)."""

    betas: list[float] = field(default_factory=lambda: [0.9, 0.98])
    """Decay of the running mean and of the running square."""

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        """Make the optimizer of the module's trainable parameters."""
        return torch.optim.AdamW(
            parameter_groups(module, self.weight_decay),
            lr=self.lr,
            betas=(self.betas[0], self.betas[1]),
            eps=self.eps,
            fused=True,
        )


@dataclass(kw_only=True)
class NAdamConfig(AdamConfig):
    """Adam with Nesterov's momentum (Dozat, 2016)."""

    weight_decay: float = 5e-6
    """L2: this share of a matrix is added to its gradient; vectors have none."""

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        """Make the optimizer of the module's trainable parameters."""
        return torch.optim.NAdam(
            parameter_groups(module, self.weight_decay),
            lr=self.lr,
            betas=(self.betas[0], self.betas[1]),
            eps=self.eps,
        )


@dataclass(kw_only=True)
class RAdamConfig(AdamConfig):
    """Adam with rectified first updates in place of a warm-up (Liu et al., 2020)."""

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        """Make the optimizer of the module's trainable parameters."""
        return torch.optim.RAdam(
            parameter_groups(module, self.weight_decay),
            lr=self.lr,
            betas=(self.betas[0], self.betas[1]),
            eps=self.eps,
            decoupled_weight_decay=True,
        )


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Split trainable parameters: matrices are decayed, vectors are not."""
    trainable = [p for p in module.parameters() if p.requires_grad]
    return [
        {
            "params": [p for p in trainable if p.ndim >= 2],
            "weight_decay": weight_decay,
        },
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]


def set_rates(
    optimizer: torch.optim.Optimizer, peaks: Sequence[float], factor: float
) -> None:
    """Set each group's learning rate to a factor of its peak."""
    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
        group["lr"] = peak * factor
