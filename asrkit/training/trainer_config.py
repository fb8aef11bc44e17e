"""How to train, whatever is trained."""

from dataclasses import dataclass
from enum import Enum

import torch

from asrkit.utils.ranges import check_range


class Precision(str, Enum):
    """Number format of the networks; weights and losses stay in float32."""

    AUTO = "auto"
    """BFLOAT16 on a GPU, FLOAT32 on a CPU."""
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"

    def is_bfloat16(self, device: torch.device) -> bool:
        """Say whether networks on that device compute in bfloat16."""
        if self is Precision.AUTO:
            return device.type == "cuda"
        return self is Precision.BFLOAT16


@dataclass(kw_only=True)
class TrainerConfig:
    """How to train, whatever is trained."""

    device: str = "auto"
    """auto, cpu or cuda."""
    precision: Precision = Precision.AUTO
    """AUTO, FLOAT32 or BFLOAT16."""
    accumulate: int = 1
    """Batches per process that make one update."""
    clip_norm: float = 5.0
    """Largest norm of the gradient of the mean loss; 0 does not clip."""
    average_decay: float = 0.999
    """Decay of the running average of the weights per update; 0 turns it off."""
    validate_every: int = 1
    """Epochs between validations; the last epoch is always validated."""
    validate_every_updates: int | None = None
    """Updates between validations within an epoch, for long epochs."""
    save_every: int = 1
    """Epochs between checkpoints; also after each validation and at the end."""
    save_every_updates: int | None = None
    """Updates between checkpoints within an epoch, for long epochs."""
    save_every_minutes: float | None = 30.0
    """Minutes between checkpoints within an epoch; null: only as the others say."""
    keep_checkpoints: int = 5
    """Epochs' checkpoints to keep besides the last and the best."""
    log_every: int = 20
    """Updates between points in TensorBoard."""
    bad_updates_in_a_row: int = 10
    """So many updates without a finite loss and gradient: back to a checkpoint."""
    max_roll_backs: int = 3
    """Returns to a checkpoint in a run; then it stops with a report."""
    roll_back_lr_factor: float = 0.5
    """On the learning rate, from each return to a checkpoint on."""
    dump_bad_updates: int = 0
    """Bad updates of a run whose batch, weights and activations are kept on disk."""
    shard_model: bool = False
    """Share weights, gradients and optimizer state out over the processes (FSDP2)."""
    stall_minutes: float = 30.0
    """So long without progress: every process writes its stacks and ends; 0: never."""
    profile: bool = False
    """Show where the time of updates 5 to 8 goes; more in the stage's profile/."""

    def __post_init__(self) -> None:
        """Check the values."""
        counts = ("accumulate", "validate_every", "save_every", "log_every")
        more = ("validate_every_updates", "save_every_updates", "bad_updates_in_a_row")
        check_range(self, "trainer", *counts, *more, least=1)
        kept = ("keep_checkpoints", "max_roll_backs", "dump_bad_updates")
        check_range(self, "trainer", *kept, "clip_norm", "stall_minutes", least=0)
        check_range(self, "trainer", "average_decay", least=0, below=1)
        check_range(self, "trainer", "save_every_minutes", above=0)
        check_range(self, "trainer", "roll_back_lr_factor", above=0, most=1)


def comes_round(count: int | None, every: int | None) -> bool:
    """Say whether a count is one of every so many; None never is."""
    return count is not None and every is not None and count % every == 0
