"""Context biasing: phrases that a search should look out for."""

from collections import deque
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from asrkit.decoding.fusion.fusion import Scorer, State


class PhraseBoost(Scorer):
    """Rewards tokens that go on with a phrase, and takes back what was none.

    An automaton of Aho and Corasick (1975) in two tables over nodes and tokens: the
    next node, and the score of getting there. A token that goes on with a phrase gets
    its boost at once, so that the phrase survives in the beam; when the text leaves the
    phrase before its end, the boosts are taken back. In the end every occurrence of a
    phrase has got the boost of each of its tokens.

    Args:
        phrases: Token ids of each phrase.
        boosts: Log-score of each token of each phrase.
        vocab_size: V.
    """

    def __init__(
        self, phrases: Sequence[Sequence[int]], boosts: Sequence[float], vocab_size: int
    ) -> None:
        trie = _Trie(phrases, boosts)
        target, gain = trie.tables(vocab_size)
        self.target = torch.from_numpy(target)
        self.gain = torch.from_numpy(gain)
        self.pending = torch.from_numpy(trie.pending.astype(np.float32))

    def start(self, count: int, device: torch.device) -> State:
        """Return the root for all."""
        # The first search tells where the tables are needed.
        self.target, self.gain, self.pending = (
            x.to(device) for x in (self.target, self.gain, self.pending)
        )
        return (torch.zeros(count, dtype=torch.int64, device=device),)

    def scores(self, state: State) -> Tensor:
        """Return boosts, negative where some are taken back, (N, V)."""
        return self.gain[state[0]]

    def advance(self, state: State, labels: Tensor) -> State:
        """Follow the labels; those with 0 stay."""
        node = state[0]
        return (torch.where(labels > 0, self.target[node, labels], node),)

    def final(self, state: State) -> Tensor:
        """Take back the boosts of a phrase that has not ended."""
        return -self.pending[state[0]]


class _Trie:
    """Phrases as a tree with links to the longest suffix that begins a phrase."""

    def __init__(
        self, phrases: Sequence[Sequence[int]], boosts: Sequence[float]
    ) -> None:
        self.children: list[dict[int, int]] = [{}]
        self.partial = [0.0]  # boosts of the tokens from the root
        self.whole = [0.0]  # boosts of the phrase that ends here
        for phrase, boost in zip(phrases, boosts, strict=True):
            self._insert(phrase, boost)
        self.suffix = [0] * len(self.children)
        self.order: list[int] = []  # breadth first
        self._link()

    def _insert(self, phrase: Sequence[int], boost: float) -> None:
        """Add a phrase; where phrases share a beginning the larger boost counts."""
        node = 0
        for length, token in enumerate(phrase, start=1):
            child = self.children[node].get(token)
            if child is None:
                child = self.children[node][token] = len(self.children)
                self.children.append({})
                self.partial.append(0.0)
                self.whole.append(0.0)
            self.partial[child] = max(self.partial[child], length * boost)
            node = child
        self.whole[node] = max(self.whole[node], len(phrase) * boost)

    def _link(self) -> None:
        """Find each node's longest proper suffix; phrases that end there end here."""
        queue = deque([0])
        while queue:
            node = queue.popleft()
            self.order.append(node)
            self.whole[node] += self.whole[self.suffix[node]] if node else 0.0
            for token, child in self.children[node].items():
                if node:
                    # Aho and Corasick (1975), the failure function: a node's longest
                    # proper suffix is a step on from its parent's, which breadth first
                    # is known already.
                    self.suffix[child] = self._step(self.suffix[node], token)
                queue.append(child)

    def _step(self, node: int, token: int) -> int:
        """Return the node after a token."""
        while node and token not in self.children[node]:
            node = self.suffix[node]
        return self.children[node].get(token, 0)

    @property
    def pending(self) -> np.ndarray:
        """Boosts that are taken back where a phrase breaks off, (nodes,)."""
        goes_on = [bool(children) for children in self.children]
        return np.array(self.partial, dtype=np.float32) * goes_on

    def tables(self, vocab_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return next nodes and scores, (nodes, V) each."""
        target = np.zeros((len(self.children), vocab_size), dtype=np.int64)
        for node in self.order:
            target[node] = target[self.suffix[node]]
            for token, child in self.children[node].items():
                target[node, token] = child
        # Potentials: a token earns the difference of what its nodes are worth, so that
        # boosts that lead nowhere cancel whichever way the text takes; whole phrases
        # stay.
        worth = self.pending + np.array(self.whole, dtype=np.float32)
        gain = worth[target] - self.pending[:, None]
        gain[:, 0] = 0.0
        return target, gain.astype(np.float32)
