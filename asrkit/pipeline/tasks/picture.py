"""A picture of one utterance: its features, and the emitted tokens over time."""

import warnings

import torch
from torch import Tensor

from asrkit.data.features.fbank import FRAME_SHIFT

_OWN_FONT = "DejaVu Sans"
_CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "PingFang SC",
    "Microsoft YaHei",
    "SimHei",
    "Arial Unicode MS",
)
"""Fonts with Han and kana, which matplotlib's own one lacks."""


def draw_emissions(
    feats: Tensor,
    frames: list[int],
    pieces: list[str],
    *,
    subsampling: int,
    title: str = "",
) -> Tensor:
    """Draw features with a line and a label wherever a token was emitted.

    Args:
        feats: Of one utterance, (T_in, F).
        frames: Encoder frame of each emission.
        pieces: What was emitted there.
        subsampling: Feature frames to an encoder frame.
        title: Stands below.

    Returns:
        RGB, (3, H, W), uint8. Without matplotlib the labels are missing.
    """
    starts = [frame * subsampling for frame in frames]
    try:
        return _draw_with_labels(
            feats, starts, pieces, subsampling * FRAME_SHIFT, title
        )
    except ImportError:
        return _draw_plain(feats, starts)


def _draw_with_labels(
    feats: Tensor, starts: list[int], pieces: list[str], width: float, title: str
) -> Tensor:
    """Draw with matplotlib; what is emitted at a feature frame takes `width` s."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), dpi=80, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    seconds = len(feats) * FRAME_SHIFT
    axes.imshow(
        feats.float().cpu().numpy().T,
        origin="lower",
        aspect="auto",
        extent=(0.0, seconds, 0, feats.shape[1]),
        cmap="magma",
    )
    fonts = _fonts()
    emitted: dict[int, str] = {}
    for start, piece in zip(starts, pieces, strict=True):
        emitted[start] = (emitted.get(start, "") + " " + piece).strip()
    for index, (start, piece) in enumerate(sorted(emitted.items())):
        time = start * FRAME_SHIFT + 0.5 * width
        axes.axvline(time, color="white", linewidth=0.7)
        # Neighbours take turns in height, so that their labels do not overlap.
        height = feats.shape[1] * (1.02 + 0.06 * (index % 3))
        text = piece.replace("▁", "_")
        axes.text(time, height, text, ha="center", fontsize=9, fontfamily=fonts)
    axes.set_xlabel(f"{title}, seconds" if title else "seconds")
    axes.set_ylabel("mel bin")
    with warnings.catch_warnings():
        # Boxes stand for what no font has; the table of hypotheses has the text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas.draw()
    rgb = torch.tensor(memoryview(canvas.buffer_rgba()).tolist(), dtype=torch.uint8)
    return rgb[..., :3].permute(2, 0, 1)


def _fonts() -> list[str]:
    """Name matplotlib's own font and those with Han and kana that are installed."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [_OWN_FONT, *(name for name in _CHINESE if name in installed)]


def _draw_plain(feats: Tensor, starts: list[int]) -> Tensor:
    """Draw in grey, with white lines at some feature frames."""
    values = feats.float().cpu().T.flip(0)
    low, high = values.min(), values.max()
    grey = (255 * (values - low) / (high - low).clamp(min=1e-5)).to(torch.uint8)
    columns = torch.tensor(starts, dtype=torch.int64)
    grey[:, columns.clamp(max=grey.shape[1] - 1)] = 255
    return grey.expand(3, -1, -1)
