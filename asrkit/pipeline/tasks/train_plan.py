"""Which plan of batches a stage trains by."""

from lhotse import CutSet

from asrkit.data.batches.cuts import CutList, PlannedCuts, Source, plan_cuts
from asrkit.data.batches.mixture import open_mixture
from asrkit.pipeline.config import Config
from asrkit.training.distributed import World


def open_source(config: Config, cuts: CutSet) -> Source:
    """Open what a stage trains on: it is gone over once, no audio is read.

    Args:
        config: As the stage sees it.
        cuts: The utterances; with shards, only their ids count.
    """
    data = config.data
    if not data.shards:
        return CutList(cuts)
    ids = {cut.id for cut in cuts}
    return open_mixture(
        data.shards, data.weights, ids, block=data.shard_block, seed=config.seed
    )


def make_plan(config: Config, source: Source, world: World) -> PlannedCuts:
    """Plan a stage's endless training batches.

    Args:
        config: As the stage sees it.
        source: What it trains on.
        world: This process among its like.
    """
    data = config.data
    return plan_cuts(
        source,
        max_duration=data.batch_seconds,
        max_cuts=data.max_cuts,
        num_buckets=data.num_buckets,
        seed=config.seed,
        rank=world.rank,
        world_size=world.size,
    )
