"""Words of a lexicon, scored by a word n-gram, in a search over phones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from asrkit.decoding.fusion.fusion import State
from asrkit.decoding.fusion.lexicon_tree import LexiconTree
from asrkit.models.lm.ngram_lm import NgramLm
from asrkit.text.ngram.ngram_table import NgramTable
from asrkit.text.tokenizer import SPECIAL_PIECES, UNK_ID
from asrkit.text.words import WordList

NO_WORD = -1e4
"""Log-score of labels that end inside a word, or that no word has. It is finite, so
that hypotheses are ranked even where none of them is at the end of a word."""

_ROOT = 0


@dataclass(frozen=True)
class Spelling:
    """What labels spell."""

    words: list[str]
    """The last one is `<unk>` where labels end inside a word."""
    log_prob: float
    """Of the words and the end of the sentence, with `NO_WORD` if they are no words."""
    is_whole: bool
    """Whether the labels end at the end of a word."""


@dataclass(frozen=True)
class _Places:
    """Where N hypotheses are, in the tree and in the n-gram."""

    node: Tensor
    """Of the tree, (N,)."""
    ngram: Tensor
    """States of the n-gram after the best word histories, (N, H)."""
    lag: Tensor
    """Log-score of each history minus that of the best one; -inf: unused, (N, H)."""


@dataclass(frozen=True)
class _Choice:
    """The best histories after the end of a word, (R, H) each."""

    ngram: Tensor
    score: Tensor
    parent: Tensor
    """The history that each one goes on with."""
    word: Tensor
    """Id of its last word."""


@dataclass(frozen=True)
class _Move:
    """What a label does to N hypotheses."""

    places: _Places
    is_known: Tensor
    """Whether a word goes on with the label, (N,)."""
    rows: Tensor
    """Hypotheses that are at the end of a word, (R,)."""
    choice: _Choice
    """Of those."""


class LexiconScorer(nn.Module):
    """Lets through only labels that words go on with, and scores words by an n-gram.

    Homophones are different word histories of the same labels. Of each hypothesis the
    best few histories are kept; of those that the n-gram does not tell apart only the
    best one, as in the algorithm of Viterbi. The label that ends a word gets what the
    best history then has more than the best one before. Labels inside words get the
    change of the best unigram score that is still within reach (look-ahead), which is
    taken back at the end of the word. The label <unk> is a word, <unk>.

    A state is a node of the tree, (N,), the n-gram's states and the distances of the
    histories, (N, H), and the scores of the next label, (N, V), which need no work as
    long as hypotheses emit blank.

    Args:
        lexicon: Pronunciations of each word as token ids, the last one a piece of its
            own, as `PhoneTokenizer.lexicon` gives them.
        words: Numbers the words for the n-gram.
        vocab_size: Labels with blank, V.
        lm: N-gram over `words`; None takes the first of homophones and scores nothing.
        scale: Weight of its log-probabilities, not negative.
        histories: Most histories of a hypothesis, H.
    """

    ahead: Tensor  # best unigram score below each node, scaled; 0 at the root, (S,)

    def __init__(
        self,
        lexicon: Mapping[str, Sequence[Sequence[int]]],
        words: WordList,
        vocab_size: int,
        lm: NgramLm | None = None,
        *,
        scale: float = 1.0,
        histories: int = 4,
    ) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.scale = scale
        self.histories = histories
        self.spelled = words.tokens
        self.lm = _indifferent(words.vocab_size) if lm is None else lm
        by_id = {words.ids[word]: list(ways) for word, ways in lexicon.items()}
        by_id.setdefault(UNK_ID, []).append([UNK_ID])
        self.tree = LexiconTree(by_id, vocab_size)
        ahead = scale * self.tree.best_below(self.lm.unigram[self.lm.stand_in])
        ahead[_ROOT] = 0.0
        self.register_buffer("ahead", ahead)

    def start(self, count: int, device: torch.device) -> State:
        """Return the states of `count` hypotheses without labels."""
        places = self._begin(count)
        return _state(places, self._next_scores(places))

    def scores(self, state: State) -> Tensor:
        """Return scores of the next label, (N, V): -inf where no word goes on so."""
        return state[-1]

    def advance(self, state: State, labels: Tensor) -> State:
        """Follow the labels (N,); those with 0 stay, and those that no word has."""
        rows = labels.nonzero()[:, 0]
        places = _Places(*(x[rows] for x in state[:3]))
        places = self._move(places, labels[rows]).places
        moved = _state(places, self._next_scores(places))
        return tuple(
            old.index_copy(0, rows, new) for old, new in zip(state, moved, strict=True)
        )

    def final(self, state: State) -> Tensor:
        """Return the score of ending here, (N,): `NO_WORD` inside a word."""
        places = _Places(*state[:3])
        ends = self.scale * self._endings(places).amax(dim=1)
        return torch.where(places.node == _ROOT, ends, NO_WORD)

    def log_prob(self, tokens: Tensor, token_lens: Tensor) -> Tensor:
        """Return the n-gram's log-probability of the words of tokens (B, U), (B,).

        Of homophones the best count. Where the tokens are no words `NO_WORD` is added.
        """
        rows = zip(tokens.tolist(), token_lens.tolist(), strict=True)
        spelled = self.spell([row[:length] for row, length in rows])
        return self.ahead.new_tensor([one.log_prob for one in spelled])

    def spell(self, sentences: Sequence[Sequence[int]]) -> list[Spelling]:
        """Return the best words of label sequences, the end of the sentence included.

        They are those of which `scores` and `final` gave the score.
        """
        rows = [torch.tensor(list(sentence)).long() for sentence in sentences]
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        places = self._begin(len(rows))
        total = torch.zeros_like(self.ahead[places.node])
        moves: list[_Move] = []
        for labels in tokens.to(self.ahead.device).T:
            move = self._move(places, labels)
            places = move.places
            total[move.rows] += move.choice.score[:, 0]
            total += NO_WORD * ((labels > 0) & ~move.is_known)
            moves.append(move)
        last, history = self._endings(places).max(dim=1)
        is_whole = places.node == _ROOT
        total = total + torch.where(is_whole, last, NO_WORD)
        words = self._trace(moves, history)
        columns = zip(words, total.tolist(), is_whole.tolist(), strict=True)
        return [
            Spelling(row if whole else [*row, SPECIAL_PIECES[UNK_ID]], score, whole)
            for row, score, whole in columns
        ]

    def words(self, tokens: Sequence[int]) -> list[str]:
        """Return the best words of one label sequence."""
        return self.spell([tokens])[0].words

    def _begin(self, count: int) -> _Places:
        """Return hypotheses at the root, with one history each."""
        device = self.ahead.device
        (ngram,) = self.lm.start(count * self.histories, device)
        lag = self.ahead.new_full((count, self.histories), -torch.inf)
        lag[:, 0] = 0.0
        node = torch.full((count,), _ROOT, device=device)
        return _Places(node, ngram.view(count, -1), lag)

    def _next_scores(self, places: _Places) -> Tensor:
        """Return the scores of the next label, (N, V)."""
        owners, labels, children = self.tree.edges(places.node)
        edges, words = self.tree.words(children)
        # Every word after every history of its hypothesis.
        number, history = (places.lag[owners[edges]] > -torch.inf).nonzero().unbind(1)
        row = owners[edges[number]]
        before = (places.ngram[row, history],)
        log_probs, _ = self.lm.score(before, words[number])
        ended = self.scale * (places.lag[row, history] + log_probs)
        worth = self.ahead[children].masked_fill(self.tree.is_end(children), -torch.inf)
        worth = worth.scatter_reduce(0, edges[number], ended, "amax")
        scores = worth.new_full((len(places.node), self.vocab_size), -torch.inf)
        scores[:, 0] = 0.0
        scores[owners, labels] = worth - self.ahead[places.node[owners]]
        return scores

    def _move(self, places: _Places, labels: Tensor) -> _Move:
        """Follow labels (N,) in the tree; a word that ends there is added."""
        child = self.tree.follow(places.node, labels)
        is_known = child >= 0
        node = torch.where(is_known, child, places.node)
        rows = self.tree.is_end(node).nonzero()[:, 0]
        choice = self._choose(node[rows], places.ngram[rows], places.lag[rows])
        lag = choice.score - choice.score[:, :1]
        after = _Places(
            node.index_fill(0, rows, _ROOT),
            places.ngram.index_copy(0, rows, choice.ngram),
            places.lag.index_copy(0, rows, lag),
        )
        return _Move(after, is_known, rows, choice)

    def _choose(self, node: Tensor, ngram: Tensor, lag: Tensor) -> _Choice:
        """Choose the best histories among all with all homophones of leaves (R,)."""
        words, is_word = self.tree.homophones(node)  # (R, M)
        log_probs, (after,) = self.lm.score((ngram[:, :, None],), words[:, None])
        score = (lag[:, :, None] + log_probs).masked_fill(~is_word[:, None], -torch.inf)
        score, order = score.flatten(1).sort(dim=1, descending=True, stable=True)
        after = after.flatten(1).gather(1, order)
        # What the n-gram does not tell apart from something better is dropped.
        same = (after[:, :, None] == after[:, None]).tril(diagonal=-1).any(dim=2)
        score = score.masked_fill(same, -torch.inf)
        score, kept = score.sort(dim=1, descending=True, stable=True)
        score, kept = score[:, : self.histories], kept[:, : self.histories]
        order = order.gather(1, kept)
        M = words.shape[1]
        return _Choice(
            after.gather(1, kept), score, order // M, words.gather(1, order % M)
        )

    def _endings(self, places: _Places) -> Tensor:
        """Return the log-score of each history with the end of the sentence, (N, H)."""
        return places.lag + self.lm.final((places.ngram,))

    def _trace(self, moves: Sequence[_Move], history: Tensor) -> list[list[str]]:
        """Return the words that lead to a history (N,) of each hypothesis."""
        words: list[list[str]] = [[] for _ in history]
        history = history.clone()
        for move in reversed(moves):
            at = history[move.rows, None]
            ids = move.choice.word.gather(1, at)[:, 0]
            history[move.rows] = move.choice.parent.gather(1, at)[:, 0]
            for row, word in zip(move.rows.tolist(), ids.tolist(), strict=True):
                words[row].append(self.spelled[word])
        return [row[::-1] for row in words]


def _state(places: _Places, scores: Tensor) -> State:
    return places.node, places.ngram, places.lag, scores


def _indifferent(vocab_size: int) -> NgramLm:
    """Return an n-gram for which everything has the log-score 0."""
    ids = np.arange(vocab_size)
    table = NgramTable([ids[:, None]], [np.zeros(vocab_size)], [])
    return NgramLm(table, vocab_size)
