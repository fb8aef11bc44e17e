"""The stage that aligns: which encoder frame emits each label of a transcript."""

from dataclasses import dataclass, replace
from enum import Enum

from asrkit.data.attached.rows import Row
from asrkit.data.batches.batch import Batch
from asrkit.decoding.transcripts.alignment import align_by_ctc, align_by_transducer
from asrkit.losses.transducer import TransducerLossConfig
from asrkit.pipeline.config import Config
from asrkit.pipeline.decode.choose_search import last_loss, trained, validation_search
from asrkit.pipeline.decode.recognizer import Recognizer, load_recognizer
from asrkit.pipeline.stage import StageConfig
from asrkit.pipeline.stages.align_report import report_alignments
from asrkit.pipeline.stages.initialization import best_of
from asrkit.pipeline.stages.results import ALIGNMENTS, timed
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.pipeline.tasks.attached import write_shards
from asrkit.transducer.rules import Rules, Topology
from asrkit.utils.errors import InputError


class By(str, Enum):
    """What aligns; the values are the names of training criteria."""

    TRANSDUCER = "transducer"
    CTC = "ctc"


@dataclass(kw_only=True)
class AlignStageConfig(StageConfig):
    """Aligns the training and dev data with a trained model."""

    source: str = "ctc"
    """Stage whose best checkpoint aligns, or the path of a checkpoint (*.pt)."""
    by: By | None = None
    """CTC or TRANSDUCER; null takes CTC where it is trained: its labels come where they
    are spoken, a transducer's often at the beginning of a word."""
    pictures: int = 10
    """Utterances to draw with their alignment."""

    def needs(self) -> list[str]:
        """Name the stages whose results this one takes."""
        return [] if self.source.endswith(".pt") else [self.source]

    def run(self, run: StageRun) -> None:
        """Align the data of a run and report on it."""
        recognizer = load_source(run, self.source)
        work = Alignments(recognizer, choose_by(self.by, recognizer.config))
        folder = run.folder / ALIGNMENTS

        def align() -> dict[str, float]:
            write_shards(run, folder, work)
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
            config, decode=validation_search(config.decode, last_loss(config))
        ),
    )


class Alignments:
    """Aligns batches; a row says which frame emits each label.

    Args:
        recognizer: Whose model aligns.
        by: What aligns. A transducer is taken as monotonic, one label a frame, whatever
            it was trained as: that is what frame-wise training needs.
    """

    def __init__(self, recognizer: Recognizer, by: By) -> None:
        self.recognizer = recognizer
        self.by = by
        loss = last_loss(recognizer.config)
        hat = isinstance(loss, TransducerLossConfig) and loss.hat
        self.rules = Rules(Topology.MONOTONIC, hat=hat)

    def __call__(self, batch: Batch) -> list[Row]:
        """Return a row for each utterance; `frames` is null where there is no path."""
        recognizer = self.recognizer
        enc_out, enc_lens = recognizer.encode(batch)
        batch = batch.to(recognizer.device)
        inputs = (recognizer.model, enc_out, enc_lens, batch.tokens, batch.token_lens)
        if self.by is By.CTC:
            found = align_by_ctc(*inputs)
        else:
            found = align_by_transducer(*inputs, rules=self.rules)
        return [
            {
                "id": utterance,
                "num_frames": length,
                "score": None if one is None else round(one.score, 3),
                "tokens": None if one is None else one.tokens,
                "frames": None if one is None else one.frames,
            }
            for utterance, length, one in zip(
                batch.ids, enc_lens.tolist(), found, strict=True
            )
        ]


def choose_by(by: By | None, config: Config) -> By:
    """Return what aligns.

    Raises:
        InputError: The last stage of the run does not train it.
    """
    names = trained(last_loss(config))
    can = [one for one in (By.CTC, By.TRANSDUCER) if one.value in names]
    if by is None and can:
        return can[0]
    if by not in can:
        raise InputError(
            f"by={by.value if by else None}: the model trains {', '.join(names)} only; "
            f"choose {' or '.join(one.value for one in can) or 'another model'}"
        )
    return by
