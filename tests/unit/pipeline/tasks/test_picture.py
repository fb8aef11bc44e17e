"""The picture of an utterance."""

import torch

from asrkit.pipeline.tasks import picture
from asrkit.pipeline.tasks.picture import _draw_plain, draw_emissions


def draw(feats, frames):
    return draw_emissions(feats, frames, ["▁A", "B"], subsampling=4)


def test_the_picture_is_rgb_and_shows_the_features():
    feats = torch.zeros(100, 80)
    quiet = draw(feats, [3, 10])
    assert quiet.dtype == torch.uint8
    assert quiet.shape[0] == 3
    feats[40:60] = 5.0
    assert not torch.equal(draw(feats, [3, 10]), quiet)
    assert not torch.equal(draw(feats, [3, 20]), quiet)


def test_without_matplotlib_emissions_are_white_columns():
    plain = _draw_plain(torch.rand(40, 8), [8, 20])
    assert plain.shape == (3, 8, 40)
    white = (plain == 255).all(dim=1).all(dim=0).nonzero()[:, 0].tolist()
    assert {8, 20} <= set(white)


def test_text_that_no_font_has_is_drawn_without_a_word(recwarn, monkeypatch):
    monkeypatch.setattr(picture, "_CHINESE", ())  # as where none is installed
    feats = torch.rand(100, 80)
    drawn = draw_emissions(feats, [3, 10], ["今", "天"], subsampling=4)
    assert not torch.equal(
        drawn, draw_emissions(feats, [3, 10], ["", ""], subsampling=4)
    )
    assert not [one for one in recwarn if "Glyph" in str(one.message)]
