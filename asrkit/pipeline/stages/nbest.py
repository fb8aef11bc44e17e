"""The stage that lists hypotheses of the training data, for minimum Bayes risk.

Zhou et al. (Interspeech 2022): found once, by a beam search with a language model, the
reference forced into each list.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from asrkit.data.attached.rows import Row, read_rows
from asrkit.data.batches.batch import Batch
from asrkit.data.batches.nbest import count_errors, with_reference
from asrkit.decoding.fusion.fusion import Fusion
from asrkit.decoding.fusion.label_scores import score_labels
from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.search import BeamConfig
from asrkit.pipeline.decode.fusion import build_fusion
from asrkit.pipeline.decode.recognizer import Recognizer, load_recognizer
from asrkit.pipeline.stage import StageConfig, is_path
from asrkit.pipeline.stages.initialization import best_of
from asrkit.pipeline.stages.results import NBEST, timed
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.pipeline.tasks.attached import write_shards
from asrkit.text.ngram.arpa import write_arpa
from asrkit.text.ngram.kneser_ney import train_kneser_ney
from asrkit.text.pronunciation.lexicon import WORD_END
from asrkit.text.tokenizer import Tokenizer
from asrkit.utils.ranges import check_range

logger = logging.getLogger(__name__)


class Risk(str, Enum):
    """Of what the edit distance to the reference is counted."""

    TOKEN = "token"
    WORD = "word"
    """Of words, or of what decode.unit counts instead."""
    PHONE = "phone"
    """Of tokens without the mark of a word's end."""


@dataclass(kw_only=True)
class NBestStageConfig(StageConfig):
    """Lists hypotheses of the training and dev data with a trained model."""

    search: BeamConfig
    """Beam search; the language model of its `fusion` takes part in training, too."""
    source: str = "full_sum"
    """Stage whose best checkpoint searches, or the path of a checkpoint (*.pt)."""
    num_hypotheses: int = 4
    """Hypotheses of a list, the reference among them."""
    risk: Risk = Risk.TOKEN
    """TOKEN, WORD or PHONE: what is counted in the edit distance."""
    share: float = 1.0
    """Share of the training utterances that are listed, drawn at random; a stage that
    takes the lists trains on these alone."""
    ngram_order: int = 3
    """Order of the n-gram over the training transcripts' tokens that takes part where
    search.fusion names no language model; 0: none does."""

    def __post_init__(self) -> None:
        """Check the counts."""
        check_range(self, "", "ngram_order", least=0)
        check_range(self, "", "share", above=0, most=1)
        # The reference and at least one other.
        check_range(self, "", "num_hypotheses", least=2)
        if self.search.nbest < self.num_hypotheses - 1:
            raise ValueError(
                f"search.nbest is {self.search.nbest}: too few for num_hypotheses="
                f"{self.num_hypotheses} with the reference"
            )

    def needs(self) -> list[str]:
        """Name the stages whose results this one takes."""
        return [] if is_path(self.source) else [self.source]

    def run(self, run: StageRun) -> None:
        """List hypotheses of the data of a run."""

        def search() -> dict[str, float]:
            recognizer = open_source(run, self)
            fusion = build_fusion(
                recognizer.config.decode.fusion,
                recognizer.model,
                recognizer.tokenizer,
                recognizer.device,
            )
            folder = run.folder / NBEST
            lists = NBestSearch(recognizer, fusion, self)
            write_shards(run, folder, lists, share=self.share)
            return summarize_lists(folder) if run.world.is_main else {}

        timed(run, search)


def open_source(run: StageRun, stage: NBestStageConfig) -> Recognizer:
    """Load the model that searches, with the language model that takes part."""
    search = replace(stage.search, unit=run.config.decode.unit)
    fused = search.fusion.lm or search.fusion.word_lm
    if fused is None and stage.ngram_order > 0:
        path = run.folder / "lm_ngram.arpa"
        if run.world.is_main and not path.is_file():
            write_ngram(run, stage.ngram_order, path)
        run.world.wait()  # the others wait for the file
        search = replace(search, fusion=replace(search.fusion, lm=str(path)))
    return load_recognizer(
        best_of(run.exp_dir, stage.source),
        run.world.device,
        change=lambda config: replace(config, decode=search),
    )


def write_ngram(run: StageRun, order: int, path: Path) -> None:
    """Train an n-gram on the training transcripts."""
    sentences = [
        run.tokenizer.encode(supervision.text or "")
        for cut in run.corpus.train
        for supervision in cut.supervisions
    ]
    table = train_kneser_ney(sentences, run.tokenizer.vocab_size, order=order)
    write_arpa(path, table, run.tokenizer.tokens)
    logger.info("n-gram of %d transcripts: %s", len(sentences), path)


class NBestSearch:
    """Finds lists of hypotheses; the reference stands first in each.

    Args:
        recognizer: Whose model searches.
        fusion: What takes part in its search.
        stage: How many hypotheses, and which risk.
    """

    def __init__(
        self, recognizer: Recognizer, fusion: Fusion, stage: NBestStageConfig
    ) -> None:
        self.recognizer = recognizer
        self.fusion = fusion
        self.count = stage.num_hypotheses
        self.risk = stage.risk

    def __call__(self, batch: Batch) -> list[Row]:
        """Return a row for each utterance."""
        nbests = self.recognizer.find(batch)
        tokenizer, unit = self.recognizer.tokenizer, self.recognizer.config.decode.unit
        references = [tokenizer.encode(text) for text in batch.texts]
        lists = [
            with_reference([one.tokens for one in nbest], reference, self.count)
            for nbest, reference in zip(nbests, references, strict=True)
        ]
        scores = iter(
            score_labels(
                self.fusion,
                [one for row in lists for one in row],
                self.recognizer.device,
            )
        )
        return [
            {
                "id": utterance,
                "tokens": row,
                "lm_scores": [round(next(scores), 4) for _ in row],
                "risks": risks(row, self.risk, tokenizer, unit),
                "best_risk": risks(
                    [row[0], nbest[0].tokens], self.risk, tokenizer, unit
                )[1],
            }
            for utterance, row, nbest in zip(batch.ids, lists, nbests, strict=True)
        ]


def risks(
    row: Sequence[list[int]], risk: Risk, tokenizer: Tokenizer, unit: ErrorUnit
) -> list[float]:
    """Return the edit distance of each hypothesis to the first one."""
    if risk is Risk.TOKEN:
        return [count_errors(row[0], one) for one in row]
    if risk is Risk.WORD:
        units = [unit.divide(tokenizer.decode(one).split()) for one in row]
    else:
        pieces = [[tokenizer.tokens[token] for token in one] for one in row]
        units = [[piece.removesuffix(WORD_END) for piece in one] for one in pieces]
    # Numbers for the words: the distance is over whole numbers.
    numbers: dict[str, int] = {}
    numbered = [[numbers.setdefault(u, len(numbers)) for u in one] for one in units]
    return [count_errors(numbered[0], one) for one in numbered]


def summarize_lists(folder: Path) -> dict[str, float]:
    """Say how many hypotheses there are, and how good the best of them."""
    rows = list(read_rows(folder))
    units = max(1, sum(len(row["tokens"][0]) for row in rows))
    return {
        "utterances": len(rows),
        "hypotheses": sum(len(row["tokens"]) for row in rows),
        "errors_per_100_tokens": round(
            100 * sum(row["best_risk"] for row in rows) / units, 3
        ),
    }
