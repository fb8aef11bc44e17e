"""A search whose labels are the words of a lexicon."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from asrkit.decoding.fusion.lexicon import NO_WORD, LexiconScorer, Spelling
from asrkit.decoding.search import NBest, Search
from asrkit.models.asr_model import AsrModel


class LexiconSearch:
    """Gives what another search finds the words that the language model chose.

    Hypotheses that end inside a word are left out, unless there are no others.

    Args:
        search: Has the lexicon among what it fuses, with weight 1.
        lexicon: That lexicon.
    """

    def __init__(self, search: Search, lexicon: LexiconScorer) -> None:
        self.search = search
        self.lexicon = lexicon

    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[NBest]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        nbests = self.search(model, enc_out, enc_lens)
        spelled = iter(
            self.lexicon.spell([one.tokens for nbest in nbests for one in nbest])
        )
        return [_add_words(nbest, [next(spelled) for _ in nbest]) for nbest in nbests]


def _add_words(nbest: NBest, spelled: Sequence[Spelling]) -> NBest:
    pairs = list(zip(nbest, spelled, strict=True))
    whole = [replace(one, words=by.words) for one, by in pairs if by.is_whole]
    return whole or [
        replace(one, words=by.words, score=one.score - NO_WORD) for one, by in pairs
    ]
