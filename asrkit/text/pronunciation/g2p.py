"""Pronunciations of words that a lexicon lacks, learnt from those that it has."""

import heapq
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence

from asrkit.text.ngram.kneser_ney import train_kneser_ney
from asrkit.text.ngram.ngram_table import NgramTable
from asrkit.text.pronunciation.graphones import Graphone, align, can_align
from asrkit.text.tokenizer import BOUNDARY
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

_ORDER = 6
_BEAM = 20
_MARGIN = 6.0
"""Hypotheses whose log-probability is this much below the best one's are dropped."""

_History = tuple[int, ...]
_Spoken = tuple[str, ...]
_Hypotheses = dict[_History, tuple[float, _Spoken]]
"""The best log-probability and phones of each history of graphones."""


class GraphemeToPhoneme:
    """An n-gram model over graphones: letters together with their phones.

    This is the joint-sequence model of Bisani and Ney, "Joint-sequence models for
    grapheme-to-phoneme conversion" (Speech Communication 50, 2008), except that each
    word of the lexicon is cut into graphones once, before n-grams are counted, and that
    of the ways to cut a new word only the best one counts.

    Args:
        graphones: Those of token ids 1, 2, ...
        table: The n-grams; id 0 begins and ends a word.
    """

    def __init__(self, graphones: Sequence[Graphone], table: NgramTable) -> None:
        self._spoken: dict[str, list[tuple[int, _Spoken]]] = defaultdict(list)
        for index, (letters, phones) in enumerate(graphones, start=1):
            self._spoken[letters].append((index, phones))
        self._longest = max(len(letters) for letters in self._spoken)
        self._order = table.order
        self._log_prob: dict[_History, float] = {}
        self._backoff: dict[_History, float] = {}
        for rows, values in zip(table.ngrams, table.log_probs, strict=True):
            keys = map(tuple, rows.tolist())
            self._log_prob.update(zip(keys, values.tolist(), strict=True))
        for rows, values in zip(table.ngrams, table.backoffs, strict=False):
            keys = map(tuple, rows.tolist())
            self._backoff.update(zip(keys, values.tolist(), strict=True))

    def pronounce(self, word: str) -> list[str] | None:
        """Return the most probable phones; None for letters that it has not learnt."""
        ends: list[_Hypotheses] = [{} for _ in range(len(word) + 1)]
        ends[0][(BOUNDARY,)] = (0.0, ())
        for start in range(len(word)):
            for history, (score, phones) in _best(ends[start]):
                for end in range(start + 1, min(start + self._longest, len(word)) + 1):
                    for index, added in self._spoken.get(word[start:end], ()):
                        after = (*history, index)[1 - self._order :]
                        total = score + self._score(history, index)
                        if total > ends[end].get(after, (-float("inf"),))[0]:
                            ends[end][after] = (total, phones + added)
        whole = [
            (score + self._score(history, BOUNDARY), phones)
            for history, (score, phones) in ends[-1].items()
            if phones
        ]
        return list(max(whole)[1]) if whole else None

    def _score(self, history: _History, token: int) -> float:
        """Return log P(token | history)."""
        weight = 0.0
        # Katz (1987): p(w | h) = backoff(h) p(w | h') where h w is not listed.
        while (*history, token) not in self._log_prob:
            weight += self._backoff.get(history, 0.0)
            history = history[1:]
        return weight + self._log_prob[(*history, token)]


def train_g2p(lexicon: Mapping[str, Sequence[Sequence[str]]]) -> GraphemeToPhoneme:
    """Learn how letters are spoken.

    Args:
        lexicon: The pronunciations, sequences of phones, of each word.

    Raises:
        InputError: There is nothing to learn from.
    """
    everything = [(word, phones) for word, ways in lexicon.items() for phones in ways]
    usable = [one for one in everything if can_align(*one)]
    if not usable:
        raise InputError(
            "cannot learn pronunciations: every word of the lexicon has more than two "
            "phones a letter, or is very long; choose another lexicon"
        )
    logger.info(
        "learning from %d pronunciations how letters are spoken; %d are left out, "
        "very long ones and abbreviations",
        len(usable),
        len(everything) - len(usable),
    )
    cuts = align(usable)
    ids: dict[Graphone, int] = {}
    sentences = [[ids.setdefault(one, len(ids) + 1) for one in cut] for cut in cuts]
    order = min(_ORDER, max(map(len, sentences)) + 1)
    return GraphemeToPhoneme(
        list(ids), train_kneser_ney(sentences, len(ids) + 1, order=order)
    )


def _best(hypotheses: _Hypotheses) -> list[tuple[_History, tuple[float, _Spoken]]]:
    best = heapq.nlargest(_BEAM, hypotheses.items(), key=lambda item: item[1][0])
    return [item for item in best if item[1][0] > best[0][1][0] - _MARGIN]
