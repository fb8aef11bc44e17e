"""SpecAugment masks what it may and leaves the rest as it is."""

import pytest
import torch

from asrkit.data.features.spec_augment import SpecAugmentConfig, draw_masks, warp_time


def test_masks_stay_inside_and_within_their_widths():
    lens = torch.tensor([100, 40, 5, 0])
    widest = torch.tensor([10, 10, 10, 10])
    for _ in range(200):
        mask = draw_masks(lens, widest, 1, 100)
        assert (mask.sum(1) <= torch.minimum(widest, lens)).all()
        assert not (mask & (torch.arange(100) >= lens[:, None])).any()
        # One span: at most one rise from unmasked to masked.
        rises = (mask[:, 1:] & ~mask[:, :-1]).sum(1) + mask[:, 0]
        assert (rises <= 1).all()


def test_widths_and_places_are_uniform():
    lens, widest = torch.full((20000,), 30), torch.full((20000,), 4)
    mask = draw_masks(lens, widest, 1, 30)
    share = torch.bincount(mask.sum(1), minlength=5) / 20000
    torch.testing.assert_close(share, torch.full((5,), 0.2), atol=0.02, rtol=0)
    hits = mask.float().mean(0)
    assert hits[10:20].std() / hits[10:20].mean() < 0.1


def test_masked_values_are_zero_and_others_unchanged():
    feats = torch.randn(4, 60, 80) + 5
    lens = torch.tensor([60, 50, 40, 30])
    config = SpecAugmentConfig(time_warp=0, num_time_masks=2, max_time_mask=10)
    out = config.build()(feats, lens)
    changed = out != feats
    assert changed.any()
    assert not out[changed].any()
    assert out.shape == feats.shape


def test_time_masks_together_keep_to_their_share():
    config = SpecAugmentConfig(
        time_warp=0, num_freq_masks=0, num_time_masks=10, max_time_share=0.2
    )
    out = config.build()(torch.ones(64, 200, 8), torch.full((64,), 200))
    assert ((out == 0).all(dim=2).float().mean(dim=1) <= 0.2).all()


def test_without_masks_and_warping_nothing_changes():
    config = SpecAugmentConfig(time_warp=0, num_freq_masks=0, num_time_masks=0)
    feats = torch.randn(2, 30, 8)
    assert torch.equal(config.build()(feats, torch.tensor([30, 20])), feats)


def test_warping_is_monotonic_keeps_the_ends_and_the_padding():
    lens = torch.tensor([100, 80, 4, 1])
    ramp = torch.arange(100.0)[None, :, None].expand(4, -1, 2).clone()
    for _ in range(50):
        out = warp_time(ramp, lens, 20)
        for b, length in enumerate(lens.tolist()):
            inside = out[b, :length, 0]
            assert (inside.diff() >= 0).all()
            assert inside.min() >= 0
            assert inside.max() <= length - 1
            assert abs(inside[0].item()) < 1e-5
            torch.testing.assert_close(out[b, length:], ramp[b, length:])
    assert not torch.equal(out[0], ramp[0])


def test_views_are_warped_alike_and_masked_differently():
    torch.manual_seed(0)
    feats, lens = torch.rand(3, 100, 20).add(1.0), torch.tensor([100, 70, 40])
    feats, lens = feats.repeat(2, 1, 1), lens.repeat(2)
    config = SpecAugmentConfig(time_warp=20)
    found = config.build(views=2)(feats, lens)
    one, other = found.chunk(2)
    both = (one != 0) & (other != 0)
    assert torch.equal(one[both], other[both])
    assert not torch.equal(one == 0, other == 0)
    # warped: alike, but not as they were
    assert not torch.equal(one[both], feats[:3][both])


def test_views_have_more_time_masks():
    one, two = SpecAugmentConfig().build(), SpecAugmentConfig().build(views=2)
    assert (one.num_time_masks, two.num_time_masks) == (10, 25)
    assert two.max_time_share == pytest.approx(2.5 * one.max_time_share)
    assert (one.num_freq_masks, two.num_freq_masks) == (2, 2)
