"""Work on all utterances of a run, shard by shard, so that a stop costs one shard."""

import logging
import math
import random
from collections.abc import Callable, Iterable
from pathlib import Path

from lhotse.cut import Cut

from asrkit.data.attached.rows import Row, shard_path, write_rows
from asrkit.data.batches.batch import Batch
from asrkit.data.batches.cuts import plan_once
from asrkit.data.progress import track
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.pipeline.tasks.batches import open_list, read_once

logger = logging.getLogger(__name__)

_UTTERANCES = 500  # of a shard


def write_shards(
    run: StageRun,
    folder: Path,
    work: Callable[[Batch], Iterable[Row]],
    *,
    share: float = 1.0,
) -> None:
    """Do some work on all training and dev utterances and keep its rows.

    The processes share the shards; those that are there already are kept.

    Args:
        run: Whose utterances.
        folder: Where the shards go.
        work: Returns a row for each utterance of a batch, in any order.
        share: Of the training utterances that are taken, drawn at random.
    """
    cuts = sorted(both(run, share), key=lambda cut: cut.id)
    shards = [cuts[i : i + _UTTERANCES] for i in range(0, len(cuts), _UTTERANCES)]
    paths = [shard_path(folder, i, len(shards)) for i in range(len(shards))]
    own = list(zip(paths, shards, strict=True))[run.world.rank :: run.world.size]
    missing = [(path, shard) for path, shard in own if not path.is_file()]
    if len(missing) < len(own):
        logger.info("%d of %d shards are there", len(own) - len(missing), len(own))
    total = sum(len(shard) for _, shard in missing)
    left_out = open_list(run.config, "all", run.world)
    with track(run.folder.name, total) as advance:
        for path, shard in missing:
            rows: list[Row] = []
            planned = plan_once(shard, max_duration=run.config.decode.max_duration)
            for batch in read_once(run.config, planned, run.tokenizer, left_out):
                rows += work(batch)
                advance(len(batch.ids))
            write_rows(path, sorted(rows, key=lambda row: str(row["id"])))
    run.world.wait()  # all shards are there


def both(run: StageRun, share: float = 1.0) -> Iterable[Cut]:
    """Yield a share of train and all of dev that is not trained on; each id once."""
    train = {cut.id: cut for cut in run.corpus.train}
    ids = sorted(train)
    if share < 1.0:
        ids = random.Random(run.config.seed).sample(ids, math.ceil(share * len(ids)))
    dev = {cut.id: cut for cut in run.corpus.dev}
    yield from {**dev, **{name: train[name] for name in ids}}.values()
