"""A back-off n-gram language model as flat tensors."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asrkit.models.lm.language_model import State
from asrkit.text.ngram.arpa import read_arpa, read_word_arpa
from asrkit.text.ngram.ngram_table import Ints, NgramTable, find_rows, table_keys
from asrkit.text.tokenizer import BOUNDARY, UNK_ID

_ROOT = 0  # node of the empty context
_UNIGRAMS = 1  # node of the context that is token 0; the other tokens' follow
_NO_UNK = -100 * math.log(10)  # of a model without <unk>; KenLM's value
_NO_KEY = torch.iinfo(torch.int64).max


def load_ngram_lm(path: Path, tokens: Sequence[str]) -> "NgramLm":
    """Read a model from an ARPA file.

    Args:
        path: The file; packed with gzip if its name ends with .gz.
        tokens: The piece of each token id, `Tokenizer.tokens`.

    Raises:
        InputError: The file is malformed or of another tokenizer.
    """
    return NgramLm(read_arpa(path, tokens), len(tokens))


def load_word_lm(path: Path, words: Sequence[str]) -> "NgramLm":
    """Read a model over words from an ARPA file.

    Args:
        path: The file; packed with gzip if its name ends with .gz.
        words: The word of each id, `WordList.tokens`.

    Raises:
        InputError: The file is malformed or has none of the words.
    """
    return NgramLm(read_word_arpa(path, words), len(words))


class NgramLm(nn.Module):
    """P(next token | tokens so far), the end of the sentence being a token.

    Contexts are nodes: first the empty one, then all of one token, all known ones of
    two, and so on. An n-gram is an arc from the node of its first n - 1 tokens to the
    node of the longest context that it ends with. Where a node has no arc of a token,
    its back-off weight and the node without its first token (`link`) take over.

    A hypothesis is its node; a state is `(nodes (N,),)`. Tokens that the model lacks
    have the probability of <unk>. Id 0, blank, is </s> where something is predicted.

    Args:
        table: The n-grams.
        vocab_size: Tokens with blank, V.
    """

    unigram: Tensor  # log P(token) by itself, (V,)
    stand_in: Tensor  # of each token: itself, or <unk> where the model lacks it, (V,)
    backoff: Tensor  # log-weight of each node, (S,)
    link: Tensor  # (S,)
    first_arc: Tensor  # of each node, and where the last one's arcs end, (S + 1,)
    arc_key: Tensor  # node * V + token, sorted; one more that is no arc's, (A + 1,)
    arc_log_prob: Tensor  # (A + 1,)
    arc_target: Tensor  # (A + 1,)
    first_node: Tensor  # of the contexts of 0, 1, ... tokens, and where they end
    _starts: list[int]
    _widths: list[int]  # see `_measure`, both

    def __init__(self, table: NgramTable, vocab_size: int) -> None:
        super().__init__()
        self.order = table.order
        self.vocab_size = vocab_size
        for name, tensor in _flatten(table, vocab_size).items():
            self.register_buffer(name, tensor)
        _measure(self)
        self.register_load_state_dict_post_hook(_measure)

    def start(self, count: int, device: torch.device) -> State:
        """Return the state of `count` hypotheses that have no token yet."""
        node = _UNIGRAMS + BOUNDARY
        return (torch.full((count,), node, dtype=torch.int64, device=device),)

    def scores(self, state: State) -> Tensor:
        """Return the log-probabilities (N, V) of the next token; 0 for blank.

        Those of the tokens do not sum to 1: the rest is that of </s> (`final`).
        """
        (nodes,) = state
        N, V = len(nodes), self.vocab_size
        # One column more, for the places of a row that are past its arcs.
        scores = F.pad(self.unigram.expand(N, V), (0, 1))
        for contexts, width in zip(self._suffixes(nodes), self._widths, strict=True):
            # From short contexts to long ones: what a longer one does not list is its
            # back-off weight times what the shorter one says (Katz, 1987).
            scores += self.backoff[contexts, None]
            arcs = self.first_arc[contexts, None] + torch.arange(
                width, device=nodes.device
            )  # (N, width)
            past = arcs >= self.first_arc[contexts + 1, None]
            arcs = arcs.masked_fill(past, 0)
            tokens = (self.arc_key[arcs] - contexts[:, None] * V).masked_fill(past, V)
            scores.scatter_(1, tokens, self.arc_log_prob[arcs])
        scores = scores.index_select(1, self.stand_in)
        scores[:, BOUNDARY] = 0.0
        return scores

    def advance(self, state: State, labels: Tensor) -> State:
        """Append a token to each hypothesis.

        Args:
            state: Of N hypotheses.
            labels: (N,), int64; a hypothesis whose label is 0 (blank) stays as it is.
        """
        (nodes,) = state
        _, targets = self._follow(nodes, labels)
        return (torch.where(labels == BOUNDARY, nodes, targets),)

    def score(self, state: State, tokens: Tensor) -> tuple[Tensor, State]:
        """Return log-probabilities of given next tokens, and the states after them.

        Args:
            state: Nodes of any shape.
            tokens: Of a shape that goes with it by broadcasting; 0 is </s>.
        """
        (nodes,) = state
        shape = torch.broadcast_shapes(nodes.shape, tokens.shape)
        log_probs, targets = self._follow(nodes, tokens)
        return log_probs.expand(shape), (targets.expand(shape),)

    def final(self, state: State) -> Tensor:
        """Return the log-probability (N,) of ending here, of </s>."""
        (nodes,) = state
        log_probs, _ = self._follow(nodes, torch.full_like(nodes, BOUNDARY))
        return log_probs

    def log_prob(self, tokens: Tensor, token_lens: Tensor) -> Tensor:
        """Return the natural logarithm of the sentences' probabilities, (B,).

        The probability of ending after the last token is part of it.

        Args:
            tokens: (B, U), int64; what lies past token_lens does not count.
            token_lens: (B,), int64.
        """
        U = tokens.shape[1]
        history = F.pad(tokens, (1, 0), value=BOUNDARY)  # <s> first, (B, U + 1)
        nodes = torch.full_like(history, _ROOT)
        # All places at once: each reads the last order - 1 tokens before it.
        for back in range(min(self.order - 2, U), -1, -1):
            _, targets = self._follow(nodes[:, back:], history[:, : U + 1 - back])
            nodes = torch.cat([nodes[:, :back], targets], dim=1)
        places = torch.arange(U + 1, device=tokens.device)
        ends = places == token_lens[:, None]
        expected = F.pad(tokens, (0, 1)).masked_fill(ends, BOUNDARY)
        log_probs, _ = self._follow(nodes, expected)
        return log_probs.masked_fill(places > token_lens[:, None], 0.0).sum(dim=1)

    def _suffixes(self, nodes: Tensor) -> list[Tensor]:
        """Return the contexts of 1, 2, ..., order - 1 tokens that nodes end with.

        Where such a context is not known, the empty one, which has neither arcs nor a
        weight, takes its place.
        """
        suffixes: list[Tensor] = []
        for start in reversed(self._starts):
            is_known = nodes >= start
            suffixes.insert(0, torch.where(is_known, nodes, _ROOT))
            nodes = torch.where(is_known, self.link[nodes], nodes)
        return suffixes

    def _follow(self, nodes: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return log P(token | node) and the node after it, both of the same shape."""
        tokens = self.stand_in[tokens]
        log_probs, targets = self.unigram[tokens], _UNIGRAMS + tokens
        for contexts in self._suffixes(nodes):
            key = contexts * self.vocab_size + tokens
            arcs = torch.searchsorted(self.arc_key, key)
            known = self.arc_key[arcs] == key
            log_probs = torch.where(
                known, self.arc_log_prob[arcs], log_probs + self.backoff[contexts]
            )
            targets = torch.where(known, self.arc_target[arcs], targets)
        return log_probs, targets


def _measure(model: NgramLm, _: object = None) -> None:
    """Find where the nodes of 1, 2, ... tokens start and how many arcs one has at most.

    Kept as numbers: reading them off a device in every step would stop it.
    """
    bounds = model.first_node.tolist()
    counts = model.first_arc.diff().cpu()
    parts = [counts[start:end] for start, end in pairwise(bounds[1:])]
    model._starts = bounds[1:-1]
    model._widths = [int(part.max()) if len(part) else 0 for part in parts]


def _flatten(table: NgramTable, V: int) -> dict[str, Tensor]:
    """Return the tensors of `NgramLm`."""
    ids = table.ngrams[0][:, 0]
    unigram, unigram_backoff = np.full(V, _NO_UNK), np.zeros(V)
    stand_in = np.full(V, UNK_ID)
    unigram[ids], stand_in[ids] = table.log_probs[0], ids
    counts = [1, V, *(len(rows) for rows in table.ngrams[1:])][: table.order]
    first_node = np.cumsum([0, *counts])
    links = [np.zeros(sum(counts[:2]), dtype=np.int64)]
    backoffs = [np.zeros(1)]
    if table.order > 1:
        unigram_backoff[ids] = table.backoffs[0]
        backoffs += [unigram_backoff, *table.backoffs[1:]]
    keys = table_keys(table.ngrams, V)
    arc_keys, arc_targets = [], []
    for n, rows in enumerate(table.ngrams[1:], start=2):
        # The place of each row's context among those of its order, as in `row_keys`.
        contexts = first_node[n - 1] + (rows[:, 0] if n == 2 else keys[n - 1] // V)
        arc_keys.append(contexts * V + rows[:, -1])
        suffixes = _longest_suffixes(rows, keys, first_node, V)
        if n < table.order:
            links.append(suffixes)
            arc_targets.append(first_node[n] + np.arange(len(rows)))
        else:
            arc_targets.append(suffixes)
    arc_key = np.concatenate([*arc_keys, [_NO_KEY]])
    floats = {
        "unigram": unigram,
        "backoff": np.concatenate(backoffs),
        "arc_log_prob": np.concatenate([*table.log_probs[1:], [0.0]]),
    }
    integers = {
        "stand_in": stand_in,
        "link": np.concatenate(links),
        "first_arc": np.searchsorted(arc_key, np.arange(first_node[-1] + 1) * V),
        "arc_key": arc_key,
        "arc_target": np.concatenate([*arc_targets, [_ROOT]]),
        "first_node": first_node,
    }
    dtype = torch.get_default_dtype()
    tensors = {k: torch.from_numpy(x).to(dtype) for k, x in floats.items()}
    return tensors | {k: torch.from_numpy(x).long() for k, x in integers.items()}


def _longest_suffixes(rows: Ints, keys: list[Ints], first_node: Ints, V: int) -> Ints:
    """Return the node of the longest known context that each row ends with.

    The row as a whole does not count.
    """
    nodes = _UNIGRAMS + rows[:, -1]
    left = np.arange(len(rows))
    for length in range(rows.shape[1] - 1, 1, -1):
        places = find_rows(keys, rows[left, -length:], V)
        known = places >= 0
        nodes[left[known]] = first_node[length] + places[known]
        left = left[~known]
    return nodes
