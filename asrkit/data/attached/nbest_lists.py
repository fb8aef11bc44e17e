"""N-best lists of the training data, as a stage wrote them."""

from dataclasses import replace
from pathlib import Path

from asrkit.data.attached.rows import Row, check_labels, read_rows
from asrkit.data.batches.batch import Batch
from asrkit.data.batches.nbest import collate_lists


class AttachNBest:
    """Gives batches the lists of hypotheses of their utterances.

    Args:
        folder: With the shards that an n-best stage wrote; read at once.
        vocab_size: Tokens of the run.

    Raises:
        InputError: The folder holds no lists, or a part of them.
    """

    def __init__(self, folder: Path, vocab_size: int) -> None:
        self.folder = folder
        self.vocab_size = vocab_size
        self.rows: dict[str, Row] = {row["id"]: row for row in read_rows(folder)}

    def __contains__(self, utterance: str) -> bool:
        """Say whether there is a list for the utterance."""
        return utterance in self.rows

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with `nbest`.

        Raises:
            InputError: The lists were made with another tokenizer.
        """
        rows = [self.rows[utterance] for utterance in batch.ids]
        lists = collate_lists(
            [row["tokens"] for row in rows],
            [row["lm_scores"] for row in rows],
            [row["risks"] for row in rows],
        )
        check_labels(lists.tokens, self.vocab_size, self.folder)
        return replace(batch, nbest=lists)
