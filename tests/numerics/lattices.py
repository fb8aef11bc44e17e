"""Random lattices, and an independent sum over all their paths."""

import torch

from asrkit.transducer.rules import Topology

TOPOLOGIES = list(Topology)


def ragged(B=5, T=5, U=3, V=6, *, dtype=torch.float64, possible=False):
    """Draw logits, tokens, enc_lens and token_lens; the first one is the longest."""
    logits = torch.randn(B, T, U + 1, V, dtype=dtype) * 2
    tokens = torch.randint(1, V, (B, U))
    enc_lens = torch.randint(1, T + 1, (B,))
    token_lens = torch.randint(0, U + 1, (B,))
    enc_lens[0], token_lens[0] = T, U
    if possible:
        enc_lens = torch.maximum(enc_lens, token_lens)
    return logits, tokens, enc_lens, token_lens


def projections(B=5, T=6, U=3, V=7, J=4, *, dtype=torch.float64, possible=True):
    """Draw what losses from projections take."""
    _, *batch = ragged(B, T, U, V, possible=possible)
    shapes = (B, T, J), (B, U + 1, J), (V, J), (V,)
    return [torch.randn(shape, dtype=dtype) for shape in shapes], batch


def join(enc, pred, weight, bias):
    """Evaluate the joiner everywhere, (B, T, U + 1, V)."""
    return torch.tanh(enc[:, :, None] + pred[:, None]) @ weight.T + bias


def paths(T, U, topology):
    """Yield all paths of a lattice as lists of arcs (t, u, is a label)."""

    def walk(t, u, arcs):
        if topology is Topology.REGULAR:
            if t == T - 1 and u == U:
                yield [*arcs, (t, u, False)]
            if t < T - 1:
                yield from walk(t + 1, u, [*arcs, (t, u, False)])
            if u < U:
                yield from walk(t, u + 1, [*arcs, (t, u, True)])
            return
        if t == T:
            if u == U:
                yield arcs
            return
        yield from walk(t + 1, u, [*arcs, (t, u, False)])
        if u < U:
            yield from walk(t + 1, u + 1, [*arcs, (t, u, True)])

    yield from walk(0, 0, [])


def path_scores(blank, label, topology, *, delay_penalty=0.0, first=None, R=None):
    """Score every path of one utterance, blank (T, U + 1) and label (T, U).

    With `first`, only paths inside the band of R rows that begins there.
    """
    T, U = blank.shape[0], blank.shape[1] - 1
    scores = []
    for path in paths(T, U, topology):
        score = blank.new_zeros(())
        allowed = True
        for t, u, is_label in path:
            rows = [u]
            if is_label:
                score = score + label[t, u] + delay_penalty * ((T - 1) / 2 - t)
                if topology is Topology.CONSTRAINED:
                    score = score + blank[t, u + 1]
                    rows.append(u + 1)
            else:
                score = score + blank[t, u]
            if first is not None:
                allowed &= all(first[t] <= row < first[t] + R for row in rows)
        if allowed:
            scores.append(score)
    return torch.stack(scores) if scores else blank.new_full((1,), -torch.inf)


def walk_jumps(
    log_probs, q, labels, durations, *, sigma=0.0, delay_penalty=0.0, stays=True
):
    """Yield log-score and labels' frames of all paths, walking each of them.

    log_probs (T, U + 1, V) and q (T, U + 1, Q); `stays`: labels may have duration 0.
    """
    T, U = len(log_probs), len(labels)

    def walk(t, u):
        if t == T:
            if u == U:
                yield torch.zeros((), dtype=log_probs.dtype), []
            return
        for i, d in enumerate(durations):
            moved = q[t, u, i] - sigma
            if d > 0 and t + d <= T:
                for rest, frames in walk(t + d, u):
                    yield moved + log_probs[t, u, 0] + rest, frames
            if u < U and t + d < T and (d or stays):
                late = delay_penalty * ((T - 1) / 2 - t)
                for rest, frames in walk(t + d, u + 1):
                    score = moved + log_probs[t, u, labels[u]] + late + rest
                    yield score, [t, *frames]

    yield from walk(0, 0)
