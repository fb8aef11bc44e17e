"""Streams: chunk by chunk is what the whole pass gives with the same chunks."""

import pytest
import torch

from asrkit.models.conformer import Positions
from asrkit.models.streaming import Streams
from tests.unit.models.toy_conformer import BINS, build, close, whole

CHUNKS = [(1, 0), (1, 5), (2, 2), (3, 1), (4, 0), (8, 2), (16, 1)]
"""Frames of a chunk and chunks before it; the convolution sees 4 frames to a side."""


@pytest.mark.parametrize("positions", list(Positions))
@pytest.mark.parametrize(("size", "left"), CHUNKS)
@pytest.mark.parametrize("factor", [4, 8])
def test_chunk_by_chunk_equals_the_whole_pass(positions, size, left, factor):
    encoder = build(positions, subsampling=factor).eval()
    for length in (1, 3, 64, 97, 130):
        feats = torch.randn(length, BINS)
        streams = Streams(encoder, 1, size=size, left=left)
        given = streams.push({0: feats}, ended=[0])[0]
        close(given, whole(encoder, feats, size, left))


@pytest.mark.parametrize("positions", list(Positions))
@pytest.mark.parametrize("factor", [4, 8])
def test_streams_begin_and_end_when_they_like_in_packets_of_any_size(positions, factor):
    encoder = build(positions, subsampling=factor).eval()
    size, left = 4, 2
    streams = Streams(encoder, 3, size=size, left=left)
    # Of each row: utterances one after another.
    todo = [
        [torch.randn(n, BINS) for n in lens]
        for lens in ([90, 33, 64], [5, 1, 160, 7], [121, 16])
    ]
    expected = [[whole(encoder, one, size, left) for one in row] for row in todo]
    given = [[[] for _ in row] for row in todo]
    at, done, turn = [0, 0, 0], [0, 0, 0], 0
    while any(at[row] < len(todo[row]) for row in range(3)):
        packets, ended = {}, []
        for row in range(3):
            if at[row] == len(todo[row]) or turn < 3 * row:
                continue  # has not begun, or is over
            feats = todo[row][at[row]]
            until = done[row] + int(torch.randint(0, 40, ()))
            packets[row] = feats[done[row] : until]
            done[row] = until
            if until >= len(feats):
                ended.append(row)
        for row, frames in streams.push(packets, ended).items():
            given[row][at[row]].append(frames)
        for row in ended:
            at[row], done[row] = at[row] + 1, 0
        turn += 1
    for row in range(3):
        for parts, frames in zip(given[row], expected[row], strict=True):
            close(torch.cat(parts), frames)


def test_an_end_that_comes_without_features_flushes():
    encoder = build().eval()
    feats = torch.randn(37, BINS)
    streams = Streams(encoder, 2, size=4, left=1)
    first = streams.push({1: feats})
    assert {row: len(frames) for row, frames in first.items()} == {1: 8}
    rest = streams.push({}, ended=[1])
    assert {row: len(frames) for row, frames in rest.items()} == {1: 2}
    close(torch.cat([first[1], rest[1]]), whole(encoder, feats, 4, 1))
    assert streams.push({}, ended=[0, 1]) == {}


def tensors(state):
    blocks = [t for one in state.blocks for t in (one.key, one.value, one.conv)]
    return [state.feats, *blocks, state.processed]


def test_a_state_keeps_its_shapes_and_rows_that_stand_still_their_values():
    encoder = build().eval()
    state = first = encoder.start(2, size=4, left=3)
    assert all(not one.any() for one in tensors(first))
    for lens in ([16, 0], [16, 16], [16, 0], [16, 0]):
        before = state
        feats = torch.randn(2, 16, BINS)
        with torch.no_grad():
            out, enc_lens, state = encoder.step(feats, torch.tensor(lens), before)
        assert out.shape == (2, 4, 16)
        assert not out.isnan().any()
        assert enc_lens.tolist() == [length // 4 for length in lens]
        for one, old, start in zip(
            tensors(state), tensors(before), tensors(first), strict=True
        ):
            assert one.shape == start.shape
            assert one.dtype == start.dtype
            assert torch.equal(one[1], old[1]) == (lens[1] == 0)
    reset = state.reset([0])
    for one, old in zip(tensors(reset), tensors(state), strict=True):
        assert not one[0].any()
        assert torch.equal(one[1], old[1])
