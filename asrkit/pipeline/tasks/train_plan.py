"""Which plan of batches a stage trains by."""

from lhotse import CutSet

from asrkit.data.batches.plan import BatchPlan
from asrkit.data.batches.shard_plan import ShardPlan, open_mixture
from asrkit.pipeline.config import Config
from asrkit.training.distributed import World


def make_plan(config: Config, cuts: CutSet, world: World) -> BatchPlan | ShardPlan:
    """Plan a stage's endless training batches.

    Args:
        config: As the stage sees it.
        cuts: What it trains on; with shards, only their ids count.
        world: This process among its like.
    """
    data = config.data
    if data.shards:
        ids = {cut.id for cut in cuts}
        return ShardPlan(
            open_mixture(data.shards, data.weights, ids, config.seed),
            max_duration=data.batch_seconds,
            max_cuts=data.max_cuts,
            num_buckets=data.num_buckets,
            block=data.shard_block,
            seed=config.seed,
            rank=world.rank,
            world_size=world.size,
        )
    return BatchPlan(
        cuts,
        max_duration=data.batch_seconds,
        max_cuts=data.max_cuts,
        num_buckets=data.num_buckets,
        shuffle=True,
        seed=config.seed,
        rank=world.rank,
        world_size=world.size,
    )
