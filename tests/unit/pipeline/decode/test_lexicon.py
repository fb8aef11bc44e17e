"""What a phone tokenizer's lexicon and a word n-gram do to searches."""

from types import SimpleNamespace

import pytest
import torch

from asrkit.decoding.beam_search import BeamSearchConfig
from asrkit.decoding.ctc_greedy import CtcGreedyConfig
from asrkit.decoding.fusion.fusion import FusionConfig
from asrkit.decoding.fusion.lexicon_search import LexiconSearch
from asrkit.decoding.fusion.rescoring import RescoringSearch
from asrkit.decoding.greedy import GreedyConfig
from asrkit.decoding.modified_beam_search import ModifiedBeamSearchConfig
from asrkit.models.joiner import Joiner
from asrkit.pipeline.decode.decode_set import describe_nbests
from asrkit.pipeline.decode.fusion import build_search, open_lm
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.text.char import CharTokenizerConfig
from asrkit.text.ngram.arpa import write_arpa
from asrkit.text.ngram.kneser_ney import train_kneser_ney
from asrkit.text.phone import PhoneTokenizer
from asrkit.text.tokenizer import SPECIAL_PIECES
from asrkit.text.words import WordList
from asrkit.utils.errors import InputError
from tests.numerics.search_reference import make_model

CPU = torch.device("cpu")
LEXICON = b"TO T U\nTWO T U\nTEA T I\nA U\n"
PHONES = PhoneTokenizer([*SPECIAL_PIECES, "I#", "T", "U#"], LEXICON)
TEA, TO = [4, 3], [4, 5]
CHARACTERS = CharTokenizerConfig().train(["ABC"])


def write_lm(path, sentences, vocabulary, order=2):
    rows = [vocabulary.encode(text) for text in sentences]
    table = train_kneser_ney(rows, vocabulary.vocab_size, order=order)
    write_arpa(path, table, vocabulary.tokens)
    return str(path)


@pytest.fixture
def word_lm(tmp_path):
    words = WordList(PHONES.lexicon())
    return write_lm(tmp_path / "words.arpa", ["TWO TEA"] * 5 + ["A TO"], words)


def build(config, tokenizer=PHONES):
    model = make_model(tokenizer.vocab_size)
    return build_search(config, model, tokenizer, CPU)


@pytest.mark.parametrize(
    ("config", "used"),
    [
        (ModifiedBeamSearchConfig(), True),
        (BeamSearchConfig(fusion=FusionConfig(lexicon=True)), True),
        (BeamSearchConfig(fusion=FusionConfig(lexicon=False)), False),
        (GreedyConfig(), False),
        (GreedyConfig(fusion=FusionConfig(lexicon=True)), True),
        (CtcGreedyConfig(), False),
    ],
)
def test_beams_keep_to_the_lexicon_and_others_when_asked(config, used):
    search = build(config)
    assert isinstance(search, LexiconSearch) == used
    if used:
        found = search(make_model(6, 1), torch.randn(2, 9, 8).double(), LENS)
        for nbest in found:
            assert nbest[0].words == PHONES.decode(nbest[0].tokens).split()


LENS = torch.tensor([9, 4])


def test_other_tokenizers_have_none():
    assert not isinstance(build(BeamSearchConfig(), CHARACTERS), LexiconSearch)


def test_the_language_model_chooses_the_words(word_lm):
    fusion = FusionConfig(word_lm=word_lm, word_lm_scale=0.5)
    config = ModifiedBeamSearchConfig(beam=4, nbest=2, fusion=fusion)
    search = build(config)
    model = make_model(6)
    recognizer = Recognizer(None, None, model, PHONES, search, CPU)
    heard = torch.tensor([[0, *TO, 0, *TEA], [*TEA, 0, *TO, 0]])
    model.joiner = OneLabelAFrame(heard.flatten())
    found = search(model, torch.arange(12).view(2, 6, 1), SIX)
    assert [nbest[0].tokens for nbest in found] == [[*TO, *TEA], [*TEA, *TO]]
    # TWO comes before TEA, TO at the end.
    assert recognizer.texts(found) == ["TWO TEA", "TEA TO"]
    assert PHONES.decode([*TO, *TEA]) == "TO TEA"
    batch = SimpleNamespace(ids=["x", "y"], texts=["", ""])
    lists = describe_nbests(recognizer, batch, found)
    assert [one["nbest"][0]["text"] for one in lists] == ["TWO TEA", "TEA TO"]


SIX = torch.tensor([6, 6])


class OneLabelAFrame(Joiner):
    """A joiner that is sure of a label in each frame, whatever was said before."""

    def __init__(self, labels):
        torch.nn.Module.__init__(self)
        self.labels = labels
        self.hat = False

    def enc_proj(self, frames):
        return frames

    def pred_proj(self, contexts):
        return contexts.new_zeros(*contexts.shape[:-1], 1)

    def log_probs(self, places, _, *, blank_penalty):
        logits = 20.0 * torch.nn.functional.one_hot(self.labels[places[:, 0]], 6)
        return logits.log_softmax(dim=-1)


def test_rescoring_keeps_the_words(word_lm, tmp_path):
    phones = write_lm(tmp_path / "phones.arpa", ["TEA TO", "A"], PHONES)
    config = BeamSearchConfig(
        beam=4, nbest=4, rescore_lm=phones, fusion=FusionConfig(word_lm=word_lm)
    )
    search = build(config)
    assert isinstance(search, RescoringSearch)
    nbests = search(make_model(6), torch.randn(2, 9, 8).double(), LENS)
    for one in (one for nbest in nbests for one in nbest):
        assert one.words == search.search.lexicon.words(one.tokens)


@pytest.mark.parametrize(
    ("fusion", "message"),
    [
        ({"word_lm": "x.arpa"}, r"fusion\.word_lm needs a lexicon, .*fusion\.lm$"),
        ({"lexicon": True}, r"fusion\.lexicon=true needs a lexicon"),
    ],
)
def test_a_tokenizer_without_lexicon(fusion, message):
    with pytest.raises(InputError, match=message):
        build(GreedyConfig(fusion=FusionConfig(**fusion)), CHARACTERS)


def test_language_models_that_are_not_over_these_words(tmp_path, word_lm):
    def open_words(path):
        build(BeamSearchConfig(fusion=FusionConfig(word_lm=str(path))))

    with pytest.raises(InputError, match=r"word_lm=exp/lm has to be an n-gram over"):
        open_words("exp/lm")
    with pytest.raises(InputError, match=r"cannot read .*none\.arpa"):
        open_words(tmp_path / "none.arpa")
    others = WordList(["to", "tea"])
    write_lm(tmp_path / "lower.arpa", ["to tea", "tea to"], others)
    message = r"over other words: .*\['to', 'tea'\], and none .*\['TO', 'TWO', 'TEA'"
    with pytest.raises(InputError, match=message):
        open_words(tmp_path / "lower.arpa")
    # One over words where one over phones is expected.
    message = rf"is a model of another tokenizer.* as decode.fusion.word_lm={word_lm}$"
    with pytest.raises(InputError, match=message):
        open_lm(word_lm, PHONES, CPU)
    with pytest.raises(InputError, match=r"of another tokenizer.*train_ngram.py$"):
        open_lm(word_lm, CHARACTERS, CPU)


def test_settings_that_contradict_each_other():
    with pytest.raises(ValueError, match=r"word_lm_scale must be at least 0, got -1"):
        FusionConfig(word_lm_scale=-1)
    with pytest.raises(ValueError, match=r"lexicon=false leaves out"):
        FusionConfig(word_lm="x.arpa", lexicon=False)


def test_results_are_named_by_what_is_fused():
    fusion = FusionConfig(lm="3gram.arpa", word_lm="lm/3gram.arpa.gz")
    assert BeamSearchConfig(fusion=fusion).method == (
        "beam_search_4_lm_3gram_word_lm_3gram"
    )
    named = [FusionConfig(lexicon=value).names() for value in (None, True, False)]
    assert named == [[], ["lexicon"], ["no_lexicon"]]
