"""The stage that averages the checkpoints of an earlier one."""

from dataclasses import dataclass
from typing import ClassVar

from asrkit.pipeline.stage import StageConfig
from asrkit.pipeline.stages.averaging import as_good_as_best, average, last_epochs
from asrkit.pipeline.stages.results import timed
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.training.checkpoints.checkpoint import save_checkpoint
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class AverageStageConfig(StageConfig):
    """Averages the weights of a stage's checkpoints."""

    takes_corpus: ClassVar[bool] = False

    source: str = "full_sum"
    """Stage whose checkpoints are averaged."""
    last: int | None = None
    """Newest epochs to average; null: the best and those as good on dev."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "", "last", least=1)

    def needs(self) -> list[str]:
        """Name the stages whose results this one takes."""
        return [self.source]

    def run(self, run: StageRun) -> None:
        """Write the average where a stage's best checkpoint is looked for."""
        folder = run.exp_dir / self.source / "checkpoints"

        def work() -> dict[str, float]:
            if not run.world.is_main:
                return {}
            paths = (
                last_epochs(folder, self.last) if self.last else as_good_as_best(folder)
            )
            save_checkpoint(average(paths), run.folder / "checkpoints" / "best.pt")
            return {"checkpoints": len(paths)}

        timed(run, work)
