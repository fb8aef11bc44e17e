"""Work on all utterances of a run, shard by shard, so that a stop costs one shard."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from lhotse import CutSet
from lhotse.cut import Cut

from asrkit.data.batch import Batch
from asrkit.data.loader import make_loader
from asrkit.data.plan import plan_once
from asrkit.data.progress import track
from asrkit.data.rows import Row, shard_path, write_rows
from asrkit.pipeline.config import Config
from asrkit.pipeline.stage_run import StageRun
from asrkit.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

_UTTERANCES = 500  # of a shard


def write_shards(
    run: StageRun, folder: Path, work: Callable[[Batch], Iterable[Row]]
) -> None:
    """Do some work on all training and dev utterances and keep its rows.

    The processes share the shards; those that are there already are kept.

    Args:
        run: Whose utterances.
        folder: Where the shards go.
        work: Returns a row for each utterance of a batch, in any order.
    """
    cuts = sorted(both(run), key=lambda cut: cut.id)
    shards = [cuts[i : i + _UTTERANCES] for i in range(0, len(cuts), _UTTERANCES)]
    paths = [shard_path(folder, i, len(shards)) for i in range(len(shards))]
    own = list(zip(paths, shards, strict=True))[run.world.rank :: run.world.size]
    missing = [(path, shard) for path, shard in own if not path.is_file()]
    if len(missing) < len(own):
        logger.info("%d of %d shards are there", len(own) - len(missing), len(own))
    total = sum(len(shard) for _, shard in missing)
    with track(run.folder.name, total) as advance:
        for path, shard in missing:
            rows: list[Row] = []
            for batch in _batches(run.config, run.tokenizer, shard):
                rows += work(batch)
                advance(len(batch.ids))
            write_rows(path, sorted(rows, key=lambda row: str(row["id"])))
    run.world.gather(None)  # all shards are there


def both(run: StageRun) -> Iterable[Cut]:
    """Yield the utterances of train and of dev that is not trained on; each id once."""
    seen: set[str] = set()
    for cuts in (run.corpus.train, run.corpus.dev):
        for cut in cuts:
            if cut.id not in seen:
                seen.add(cut.id)
                yield cut


def _batches(config: Config, tokenizer: Tokenizer, cuts: list[Cut]) -> Iterable[Batch]:
    """Read utterances in batches of like lengths."""
    loader = make_loader(
        plan_once(CutSet.from_cuts(cuts), max_duration=config.decode.max_duration),
        tokenizer,
        config.features.sampling_rate,
        augment=None,
        stored_features=config.data.stored_features,
        num_workers=min(1, config.data.num_workers),
        prefetch=config.data.prefetch,
    )
    return (batch for batch, _ in loader)
