"""The part of k2 that `FastBeamSearch` calls, in plain Python, over any tokens.

It refuses what k2 1.24.4 refuses: tensors of inference mode (Fsa reads their versions),
tensors with gaps, no streams, output before the end or of no frame. As there, the arcs
of the last frame that `format_output` is asked for do not count.
"""

from dataclasses import dataclass, field

import torch


@dataclass
class RnntDecodingConfig:
    vocab_size: int
    decoder_history_len: int
    beam: float
    max_states: int
    max_contexts: int


@dataclass
class Graph:
    max_token: int

    def to(self, device):
        return self


def trivial_graph(max_token, device):
    return Graph(max_token)


@dataclass
class RnntDecodingStream:
    graph: Graph
    states: dict = field(default_factory=dict)  # context -> score of the best path
    frames: list = field(default_factory=list)  # arcs (context, context, label, score)


class RaggedShape:
    def __init__(self, counts):
        self.counts = counts

    def row_ids(self, axis):
        assert axis == 1
        return torch.arange(len(self.counts), dtype=torch.int32).repeat_interleave(
            torch.tensor(self.counts)
        )


class RaggedTensor:
    def __init__(self, shape, values):
        if not values.is_contiguous():
            raise RuntimeError(f"tensor is not contiguous: strides {values.stride()}")
        self.shape, self.values = shape, values

    def tolist(self):
        return [part.tolist() for part in self.values.split(self.shape.counts)]


class Fsa:
    """Utterances' arcs, one after the other, as columns of one tensor."""

    def __init__(self, paths):
        self.paths = paths
        rows = [arc for path in paths for arc in path]
        self._arcs = torch.tensor(rows, dtype=torch.float32)
        assert self._arcs._version == 0  # raises in inference mode

    @property
    def arcs(self):
        return self

    def shape(self):
        return self

    def remove_axis(self, axis):
        assert axis == 1
        return RaggedShape([len(path) for path in self.paths])

    @property
    def labels(self):
        return self._arcs.to(torch.int32)[:, 0]

    @property
    def scores(self):
        return self._arcs[:, 1]

    def get_tot_scores(self, *, use_double_scores, log_semiring):
        assert use_double_scores
        assert not log_semiring
        totals = [sum(score for _, score in path) for path in self.paths]
        return torch.tensor(totals, dtype=torch.float64)


class RnntDecodingStreams:
    def __init__(self, streams, config):
        assert len(streams) > 0
        self.streams, self.config = streams, config
        self.attached = True
        for stream in streams:
            stream.states = {(0,) * config.decoder_history_len: 0.0}

    def get_contexts(self):
        contexts = [c for stream in self.streams for c in sorted(stream.states)]
        shape = RaggedShape([len(stream.states) for stream in self.streams])
        return shape, torch.tensor(contexts, dtype=torch.int32)

    def advance(self, log_probs):
        assert self.attached, "Streams terminated."
        assert log_probs.dtype == torch.float32
        assert log_probs._version >= 0  # raises for tensors of inference mode
        _, contexts = self.get_contexts()
        assert log_probs.shape == (len(contexts), self.config.vocab_size)
        rows = iter(log_probs.tolist())
        for stream in self.streams:
            self._advance(stream, [next(rows) for _ in stream.states])

    def _advance(self, stream, rows):
        arcs, scores = [], {}
        for context, row in zip(sorted(stream.states), rows, strict=True):
            for label, score in enumerate(row[: stream.graph.max_token + 1]):
                after = (*context, label)[1:] if label else context
                arcs.append((context, after, label, score))
                total = stream.states[context] + score
                scores[after] = max(total, scores.get(after, total))
        best = sorted(scores, key=scores.get, reverse=True)
        worst = scores[best[0]] - self.config.beam
        kept = best[: min(self.config.max_contexts, self.config.max_states)]
        stream.states = {c: scores[c] for c in kept if scores[c] >= worst}
        stream.frames.append([arc for arc in arcs if arc[1] in stream.states])

    def terminate_and_flush_to_streams(self):
        self.attached = False

    def format_output(self, num_frames):
        assert not self.attached, "Please call TerminateAndFlushToStreams() first."
        assert len(num_frames) == len(self.streams)
        for stream, n in zip(self.streams, num_frames, strict=True):
            assert 1 <= n <= len(stream.frames)
        return [
            (stream.frames[: n - 1], {arc[0] for arc in stream.frames[n - 1]})
            for stream, n in zip(self.streams, num_frames, strict=True)
        ]


def shortest_path(lattice, *, use_double_scores):
    assert use_double_scores
    return Fsa([_best_path(*one) for one in lattice])


def _best_path(frames, ends):
    """Return the arcs (label, score) of the best path to one of `ends`."""
    paths = None
    for arcs in frames:
        after = {}
        for source, target, label, score in arcs:
            if paths is None:
                total, path = 0.0, []
            elif source in paths:
                total, path = paths[source]
            else:
                continue
            total, path = total + score, [*path, (label, score)]
            if target not in after or total > after[target][0]:
                after[target] = total, path
        paths = after
    if paths is None:
        return [(-1, 0.0)]
    _, path = max(paths[end] for end in ends if end in paths)
    return [*path, (-1, 0.0)]
