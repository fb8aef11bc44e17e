"""Training near an alignment first."""

import dataclasses

import pytest
import torch

from asrkit.decoding.transcripts.alignment import align_by_ctc
from asrkit.losses.band import BandConfig, Source
from asrkit.losses.criterion import Encoded
from asrkit.losses.fused import FusedLossConfig
from asrkit.losses.sample_wise import SampleWiseLossConfig
from asrkit.losses.viterbi import ViterbiLossConfig
from asrkit.transducer.rules import Topology
from asrkit.utils.training_progress import TrainingProgress
from tests.unit.losses.test_criteria import make_batch, make_model, with_features

BATCH = make_batch()
FRAMES = [[0, 1, 4, 6], [1, 4], []]


def encoded(enc_out=BATCH[0], found=FRAMES):
    alignment = torch.zeros(3, 7, dtype=torch.int64)
    for row, frames, tokens in zip(alignment, found, BATCH[2], strict=True):
        row[torch.tensor(frames, dtype=torch.int64)] = tokens[: len(frames)]
    return with_features(Encoded(enc_out, *BATCH[1:], alignment=alignment))


def loss_of(config, share=0.0, train=True):
    model = make_model()
    criterion = config.build(model).train(train)
    criterion.announce(TrainingProgress(share))
    enc_out = BATCH[0].clone().requires_grad_()
    loss = criterion(model, encoded(enc_out)).loss
    return loss, *torch.autograd.grad(loss, enc_out)


def same(one, other):
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [FusedLossConfig, SampleWiseLossConfig])
def test_it_begins_with_the_viterbi_criterion_and_ends_with_all_paths(kind):
    exact = kind(topology=Topology.MONOTONIC)
    banded = dataclasses.replace(exact, band=BandConfig(radii=[0, 1, 20], share=0.6))
    viterbi = ViterbiLossConfig(
        label_smoothing=0.0, label_boost=0.0, weights={"transducer": 1.0, "ctc": 0.3}
    )
    same(loss_of(banded), loss_of(viterbi))
    between = loss_of(banded, share=0.3)[0]
    assert loss_of(exact)[0] < between < loss_of(banded)[0]  # fewer paths, larger loss
    for share in (0.5, 0.6, 1.0):  # wider than the utterances, and without a band
        same(loss_of(banded, share=share), loss_of(exact))
    same(loss_of(banded, train=False), loss_of(exact))


def test_radii_follow_one_another_for_equal_times():
    config = BandConfig(radii=[2, 5, 10], share=0.5)
    shares = [0.0, 0.16, 0.17, 0.3, 0.34, 0.49, 0.5, 0.9]
    found = [config.radius(TrainingProgress(share)) for share in shares]
    assert found == [2, 2, 5, 5, 10, 10, None, None]
    assert BandConfig().radius(TrainingProgress(0.0)) is None


def test_a_band_needs_alignments():
    assert FusedLossConfig().needs == ()
    assert FusedLossConfig(band=BandConfig(radii=[3])).needs == ("alignments",)
    assert FusedLossConfig(band=BandConfig(radii=[3], source=Source.CTC)).needs == ()


def test_the_ctc_head_of_the_model_itself_can_align():
    model = make_model()
    by_ctc = FusedLossConfig(band=BandConfig(radii=[1], source=Source.CTC))
    stored = FusedLossConfig(band=BandConfig(radii=[1]))
    paths = align_by_ctc(model.ctc_log_probs(BATCH[0]), BATCH[1], BATCH[2], BATCH[3])
    batch = encoded(found=[path.frames for path in paths])
    expected = stored.build(model).train()(model, batch).stats["transducer"]
    assert expected != by_ctc.build(model).eval()(model, batch).stats["transducer"]
    alone = dataclasses.replace(batch, alignment=None)
    found = by_ctc.build(model).train()(model, alone).stats
    torch.testing.assert_close(found["transducer"], expected)
    # Four labels in three frames: the full sum has paths, CTC has none.
    many = dataclasses.replace(alone, enc_lens=torch.tensor([3, 5, 4]))
    assert by_ctc.build(model).train()(model, many).stats["without_path"] == 1
    assert by_ctc.build(model).eval()(model, many).stats["without_path"] == 0


def test_a_head_that_is_not_trained_cannot_align():
    band = BandConfig(radii=[1], source=Source.CTC)
    with pytest.raises(ValueError, match=r"band.source=CTC.*loss.weights.ctc"):
        FusedLossConfig(weights={"transducer": 1.0}, band=band)
