"""A pronunciation lexicon as a tree over labels, in flat tensors."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

_NO_KEY = torch.iinfo(torch.int64).max


class LexiconTree(nn.Module):
    """Words that share the beginning of their pronunciations share nodes.

    Node 0 is the root. Edges are sorted by the node that they leave, then by label, and
    nodes are numbered in the order of their edges, so that edge e leads to node e + 1.
    Words end at leaves: the last label of a pronunciation is a piece of its own. Memory
    is 32 bytes a node, 16 MB for 200,000 words.

    Args:
        pronunciations: Of each word's id, the first one first.
        vocab_size: Labels with blank, V.

    Raises:
        ValueError: A pronunciation is the beginning of another one.
    """

    key: Tensor  # node * V + label of each edge, sorted; one more that is no edge's
    first_edge: Tensor  # of each node, and where the last one's end, (S + 1,)
    first_word: Tensor  # the same of `word`
    word: Tensor  # ids by leaf; of homophones, those whose first way it is come first

    def __init__(
        self, pronunciations: Mapping[int, Sequence[Sequence[int]]], vocab_size: int
    ) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        ways = sorted(
            (rank, place, word, way)
            for place, (word, ways) in enumerate(pronunciations.items())
            for rank, way in enumerate(ways)
        )
        words = np.array([word for *_, word, _ in ways])
        levels, ends = _grow([way for *_, way in ways], vocab_size)
        self._bounds = [0, *np.cumsum([len(keys) for keys in levels]).tolist()]
        keys = np.concatenate(levels)
        nodes = np.arange(len(keys) + 2)
        if np.isin(ends, keys // vocab_size).any():
            raise ValueError(
                "the end of a word goes on as another one; the last label of each "
                "pronunciation has to be an end-of-word piece"
            )
        order = np.argsort(ends, kind="stable")
        tensors = {
            "key": np.append(keys, _NO_KEY),
            "first_edge": np.searchsorted(keys, nodes * vocab_size),
            "first_word": np.searchsorted(ends[order], nodes),
            "word": words[order],
        }
        for name, array in tensors.items():
            self.register_buffer(name, torch.from_numpy(array).long())

    def follow(self, nodes: Tensor, labels: Tensor) -> Tensor:
        """Return the nodes after labels, -1 where no word goes on so; (N,) each."""
        wanted = nodes * self.vocab_size + labels
        edges = torch.searchsorted(self.key, wanted)
        return torch.where(self.key[edges] == wanted, edges + 1, -1)

    def edges(self, nodes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return all edges that leave nodes (N,).

        Returns:
            Place of each edge's node in `nodes`, the edge's label, and the node that it
            leads to; (E,) each.
        """
        owners, edges = _ranges(self.first_edge, nodes)
        return owners, self.key[edges] % self.vocab_size, edges + 1

    def words(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the words that end at nodes (N,): places in `nodes`, and ids."""
        owners, places = _ranges(self.first_word, nodes)
        return owners, self.word[places]

    def homophones(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the words that end at leaves (R,) as a table.

        Returns:
            Ids, (R, M), and whether there is a word in each place, (R, M).
        """
        starts, ends = self.first_word[nodes], self.first_word[nodes + 1]
        most = int((ends - starts).max()) if len(nodes) else 1
        places = starts[:, None] + torch.arange(most, device=nodes.device)
        is_word = places < ends[:, None]
        return self.word[places.where(is_word, 0)], is_word

    def is_end(self, nodes: Tensor) -> Tensor:
        """Say where words end."""
        return self.first_word[nodes + 1] > self.first_word[nodes]

    def best_below(self, scores: Tensor) -> Tensor:
        """Return the best score of the words at and below each node, (S,).

        Args:
            scores: Of each word id.
        """
        count = len(self.first_edge) - 1
        owners, words = self.words(torch.arange(count, device=scores.device))
        best = scores.new_full((count,), -torch.inf)
        best.scatter_reduce_(0, owners, scores[words], "amax")
        for level in range(len(self._bounds) - 1, 0, -1):
            start, end = self._bounds[level - 1 : level + 1]
            parents = self.key[start:end] // self.vocab_size
            best.scatter_reduce_(0, parents, best[start + 1 : end + 1].clone(), "amax")
        return best


def _grow(ways: Sequence[Sequence[int]], V: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the keys of the edges of each depth, and the node where each way ends."""
    lens = np.array([len(way) for way in ways])
    labels = np.zeros((len(ways), max(lens)), dtype=np.int64)
    labels[np.arange(max(lens)) < lens[:, None]] = np.concatenate(ways)
    nodes = np.zeros(len(ways), dtype=np.int64)
    levels: list[np.ndarray] = []
    count = 1
    for depth, column in enumerate(labels.T):
        going = lens > depth
        keys = nodes[going] * V + column[going]
        found, inverse = np.unique(keys, return_inverse=True)
        nodes[going] = count + inverse
        count += len(found)
        levels.append(found)
    return levels, nodes


def _ranges(first: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return all places from first[row] to first[row + 1], with the row's number."""
    starts = first[rows]
    counts = first[rows + 1] - starts
    numbers = torch.arange(len(rows), device=rows.device)
    owners = numbers.repeat_interleave(counts)
    before = counts.cumsum(dim=0) - counts
    within = torch.arange(len(owners), device=rows.device) - before[owners]
    return owners, starts[owners] + within
