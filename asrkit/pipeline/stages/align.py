"""The stage that aligns: which encoder frame emits each label of a transcript."""

from dataclasses import dataclass, replace

from asrkit.data.attached.rows import Row
from asrkit.data.batches.batch import Batch
from asrkit.pipeline.decode.aligner import Aligner, By, choose_scores
from asrkit.pipeline.decode.choose_search import last_loss, validation_search
from asrkit.pipeline.decode.recognizer import Recognizer, load_recognizer
from asrkit.pipeline.stage import StageConfig, is_path
from asrkit.pipeline.stages.align_report import report_alignments
from asrkit.pipeline.stages.initialization import best_of
from asrkit.pipeline.stages.results import ALIGNMENTS, timed
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.pipeline.tasks.attached import write_shards
from asrkit.transducer.rules import Topology
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class AlignStageConfig(StageConfig):
    """Aligns the training and dev data with a trained model."""

    source: str = "ctc"
    """Stage whose best checkpoint aligns, or the path of a checkpoint (*.pt)."""
    by: By | None = None
    """TIMING, CTC or TRANSDUCER; null takes CTC where it is trained: its labels come
    where they are known, a transducer's often at the beginning of a word."""
    pictures: int = 10
    """Utterances to draw with their alignment."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "", "pictures", least=0)

    def needs(self) -> list[str]:
        """Name the stages whose results this one takes."""
        return [] if is_path(self.source) else [self.source]

    def run(self, run: StageRun) -> None:
        """Align the data of a run and report on it."""
        recognizer = load_source(run, self.source)
        # One label a frame, whatever was trained: frame-wise training needs that.
        by = self.by or choose_scores(last_loss(recognizer.config))
        aligner = Aligner(recognizer, by, topology=Topology.MONOTONIC)
        folder = run.folder / ALIGNMENTS

        def align() -> dict[str, float]:
            write_shards(run, folder, Alignments(aligner))
            if not run.world.is_main:
                return {}
            return report_alignments(run, recognizer, folder, self.pictures)

        timed(run, align)


def load_source(run: StageRun, source: str) -> Recognizer:
    """Load a stage's best model, with a search that fits it."""
    return load_recognizer(
        best_of(run.exp_dir, source),
        run.world.device,
        change=lambda config: replace(
            config,
            decode=validation_search(config.decode, last_loss(config), config.joiner),
        ),
    )


class Alignments:
    """Aligns batches; a row says which frame emits each label.

    Args:
        aligner: What aligns.
    """

    def __init__(self, aligner: Aligner) -> None:
        self.aligner = aligner

    def __call__(self, batch: Batch) -> list[Row]:
        """Return a row for each utterance; `frames` is null where there is no path."""
        heard = self.aligner.hear(batch)
        found = self.aligner.align_heard(heard, batch.tokens, batch.token_lens)
        return [
            {
                "id": utterance,
                "num_frames": length,
                "score": None if one is None else round(one.score, 3),
                "tokens": None if one is None else one.tokens,
                "frames": None if one is None else one.frames,
            }
            for utterance, length, one in zip(
                batch.ids, heard.enc_lens.tolist(), found, strict=True
            )
        ]
