"""Chunks to decode in: those that the encoder was trained with."""

from collections.abc import Collection

from asrkit.decoding.search import SearchConfig
from asrkit.models.chunks import EncoderChunksConfig
from asrkit.models.encoder import EncoderConfig
from asrkit.utils.errors import InputError

_OTHERWISE = (
    "decode whole utterances (no --stream, decode.chunk=null), or train a model with "
    "encoder.chunks (docs/streaming.md)"
)


def choose_chunks(
    search: SearchConfig, encoder: EncoderConfig, frame_seconds: float
) -> tuple[int, int] | None:
    """Return the frames of a chunk and the chunks before it that attention sees.

    Args:
        search: Its `chunk` and `left`.
        encoder: Has to have met them in training.
        frame_seconds: Audio in an encoder frame, seconds.

    Returns:
        None: whole utterances.

    Raises:
        InputError: The encoder has not met them.
    """
    if search.chunk is None:
        if search.left is not None:
            raise InputError(
                f"decode.left={search.left} counts chunks, and there are none: give "
                "decode.chunk, too"
            )
        return None
    chunks: EncoderChunksConfig | None = getattr(encoder, "chunks", None)
    if chunks is None:
        raise InputError(
            f"decode.chunk={search.chunk:g}: this model's encoder "
            f"({type(encoder).__name__}) has no chunks; {_OTHERWISE}"
        )
    size = _choose_size(chunks.sizes, search.chunk, frame_seconds)
    return size, _choose_left(chunks.left, search.left)


def _choose_size(met: list[int | None], seconds: float, frame: float) -> int:
    """Return the encoder frames of a chunk."""
    sizes = _numbers(met)
    if not sizes:
        raise InputError(
            f"decode.chunk={seconds:g}: encoder.chunks.sizes has no number, this model "
            f"was trained on whole utterances and streams badly; {_OTHERWISE}"
        )
    there = ", ".join(f"{size * frame:g}" for size in sizes)
    size = round(seconds / frame)
    if abs(seconds / frame - size) > 1e-6:
        raise InputError(
            f"decode.chunk={seconds:g} is no multiple of a frame, {frame:g} s; "
            f"this model was trained with {there}"
        )
    if size not in sizes:
        raise InputError(
            f"decode.chunk={seconds:g} was not met in training; there were {there} "
            "seconds (encoder.chunks.sizes)"
        )
    return size


def _choose_left(met: list[int | None], left: int | None) -> int:
    """Return the chunks before its own that a frame's attention sees.

    Who has met all that came before has met any number.
    """
    numbers = _numbers(met)
    if left is None and not numbers:
        raise InputError(
            "encoder.chunks.left has no number, and streams cannot keep all that came "
            "before: give decode.left (transcribe.py: --left), e.g. 8"
        )
    if left is None:
        return numbers[-1]
    if left not in numbers and None not in met:
        raise InputError(
            f"decode.left={left} was not met in training; there were "
            f"{', '.join(map(str, numbers))} (encoder.chunks.left)"
        )
    return left


def _numbers(values: Collection[int | None]) -> list[int]:
    return sorted({value for value in values if value is not None})
