"""Searches follow the paths that a run trains."""

import pytest
from hydra.errors import InstantiationException as InstantiationError

from asrkit.decoding.beam_search import BeamSearchConfig
from asrkit.decoding.ctc_beam import CtcBeamConfig
from asrkit.decoding.ctc_greedy import CtcGreedyConfig
from asrkit.decoding.greedy import GreedyConfig
from asrkit.losses.ctc import CtcLossConfig
from asrkit.losses.fused import FusedLossConfig
from asrkit.losses.mbr import MbrLossConfig
from asrkit.losses.pruned import PrunedLossConfig
from asrkit.losses.viterbi import ViterbiLossConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.pipeline.components import COMPONENTS
from asrkit.pipeline.decode.choose_search import (
    choose_search,
    last_loss,
    validation_search,
)
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError
from tests.unit.pipeline.compose import make

PLAIN = JoinerConfig()


@pytest.mark.parametrize(
    ("topology", "expected"),
    [(Topology.REGULAR, None), (Topology.MONOTONIC, 1), (Topology.CONSTRAINED, 1)],
)
def test_greedy_emits_as_many_labels_a_frame_as_were_trained(topology, expected):
    loss = FusedLossConfig(topology=topology)
    assert choose_search(GreedyConfig(), loss, PLAIN).max_symbols == expected
    own = GreedyConfig(max_symbols=3)
    assert choose_search(own, loss, PLAIN).max_symbols == 3


def test_a_beam_over_other_paths_is_refused():
    loss = FusedLossConfig(topology=Topology.MONOTONIC)
    with pytest.raises(InputError, match="choose decode=modified_beam_search"):
        choose_search(BeamSearchConfig(), loss, PLAIN)
    assert choose_search(BeamSearchConfig(), FusedLossConfig(), PLAIN)


def test_a_search_of_what_is_not_trained_is_refused():
    with pytest.raises(InputError, match="choose decode=ctc_greedy"):
        choose_search(GreedyConfig(), CtcLossConfig(), PLAIN)
    only = FusedLossConfig(weights={"transducer": 1.0})
    with pytest.raises(InputError, match=r"give loss.weights.ctc a weight"):
        choose_search(CtcGreedyConfig(), only, PLAIN)


def test_validation_takes_what_the_stage_trains():
    assert isinstance(
        validation_search(GreedyConfig(), CtcLossConfig(), PLAIN), CtcGreedyConfig
    )
    found = validation_search(CtcGreedyConfig(), ViterbiLossConfig(), PLAIN)
    assert isinstance(found, GreedyConfig)
    assert found.max_symbols == 1
    own = GreedyConfig(blank_penalty=1.0)
    assert validation_search(own, FusedLossConfig(), PLAIN) is own


def test_the_last_stage_that_trains_is_decoded_with():
    own = ["+loss@pipeline.stages.train.set.loss=ctc"]
    for overrides, expected in (
        ([], FusedLossConfig),
        (["loss=pruned"], PrunedLossConfig),
        (own, CtcLossConfig),
        (["pipeline=frame_wise"], MbrLossConfig),
        (["pipeline=frame_wise", "pipeline.order=[ctc,align]"], CtcLossConfig),
    ):
        assert isinstance(last_loss(make(*overrides)), expected)
    with pytest.raises(InputError, match=r"none of pipeline\.order=align trains"):
        last_loss(make("pipeline=frame_wise", "pipeline.order=[align]"))


@pytest.mark.parametrize("kind", COMPONENTS["decode"], ids=lambda cls: cls.name)
def test_a_search_frame_by_frame_of_a_joiner_with_durations_is_refused(kind):
    loss, joiner = FusedLossConfig(), JoinerConfig(durations=[0, 1, 2])
    if kind in (GreedyConfig, BeamSearchConfig, CtcGreedyConfig, CtcBeamConfig):
        assert choose_search(kind(), loss, joiner) == kind()
        return
    with pytest.raises(InputError, match=r"joiner.durations=\[0, 1, 2\].*greedy"):
        choose_search(kind(), loss, joiner)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["loss=pruned"], r"loss=pruned trains no joiner with durations"),
        (["loss=sampled"], r"loss=sampled trains no joiner with durations"),
        (["loss=mwer"], r"loss\.topology=MONOTONIC and joiner\.durations"),
        (["loss=viterbi"], r"loss=viterbi trains no joiner with durations"),
        (
            ["loss.topology=MONOTONIC"],
            r"loss\.topology=MONOTONIC and joiner\.durations",
        ),
        (["loss.band.radii=[2]"], r"loss\.band\.radii=\[2\] and joiner\.durations"),
        (["loss=full", "loss.backend=K2"], r"loss\.backend=K2 knows no durations"),
        (["joiner.durations=[0,2]"], r"joiner\.durations must be .* 1 among them"),
        (["loss.omega=1"], r"loss\.omega"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_what_does_not_go_with_durations_is_named(overrides, message):
    with pytest.raises((ValueError, InstantiationError), match=message):
        make("joiner=tdt", *overrides)


def test_durations_go_with_all_exact_losses_and_ctc():
    for loss in ("fused", "sample_wise", "full", "ctc"):
        assert make("joiner=tdt", f"loss={loss}").joiner.durations == [0, 1, 2, 3, 4]
    for loss in ("mbr", "mwer"):
        assert make("joiner=tdt", f"loss={loss}", "loss.topology=REGULAR")
