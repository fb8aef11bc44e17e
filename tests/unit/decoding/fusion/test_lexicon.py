"""Lexicon and word n-gram in a search, against all word sequences one by one."""

import itertools
import math

import pytest
import torch

from asrkit.decoding.beam_search import BeamSearch
from asrkit.decoding.ctc_beam import CtcBeamSearch
from asrkit.decoding.fusion.fusion import Fusion, concatenate_states, select
from asrkit.decoding.fusion.label_scores import score_labels
from asrkit.decoding.fusion.lexicon import NO_WORD, LexiconScorer
from asrkit.decoding.fusion.lexicon_search import LexiconSearch
from asrkit.decoding.greedy import GreedySearch
from asrkit.decoding.modified_beam_search import ModifiedBeamSearch
from asrkit.models.lm.ngram_lm import load_ngram_lm
from asrkit.text.phone import PhoneTokenizer
from asrkit.text.tokenizer import SPECIAL_PIECES, UNK_ID
from asrkit.text.words import WordList
from tests.numerics.search_reference import ctc_texts, log_probs_after, make_model
from tests.unit.models.lm.test_ngram_lm import Walker, write_random

CPU = torch.device("cpu")
V = 8  # 0 to 2 are the special pieces, 6 and 7 end words
LEXICON = {
    "TO": [[3, 6]],
    "TWO": [[3, 6]],  # homophones
    "TOO": [[3, 6], [7]],  # and another pronunciation
    "TOE": [[3, 4, 6]],
    "A": [[6]],
    "ASK": [[3, 3, 7], [5, 7]],  # one that is BEE's first
    "BEE": [[5, 7], [4, 7]],
    "LONG": [[4, 4, 3, 5, 6]],
}
WAYS = LEXICON | {"<unk>": [[UNK_ID]]}  # what a search may find
WORDS = WordList(LEXICON)
WIDE = 400
TOKENS = [*SPECIAL_PIECES, "P", "Q", "R", "S#", "T#"]
TOKENIZER = PhoneTokenizer(
    TOKENS,
    "\n".join(
        " ".join([word, *(TOKENS[label].removesuffix("#") for label in way)])
        for word, ways in LEXICON.items()
        for way in ways
    ).encode(),
)
# TO is likelier than TWO, but for what comes next.
BIGRAM = """\\data\\
ngram 1=6
ngram 2=2

\\1-grams:
-99\t<s>
-1\t</s>
-2\t<unk>
-1\tTO\t-0.5
-1.9\tTWO
-1\tBEE

\\2-grams:
-0.1\tTO </s>
-0.1\tTWO BEE

\\end\\
"""


@pytest.fixture(params=[1, 2, 3])
def path(tmp_path, request):
    words = ["<unk>", *(word for word in LEXICON if word != "LONG")]
    write_random(tmp_path / "words.arpa", request.param, words=words, seed=5)
    return tmp_path / "words.arpa"


def make_scorer(path=None, scale=1.0, lexicon=LEXICON, **options):
    lm = None if path is None else load_ngram_lm(path, WORDS.tokens)
    return LexiconScorer(lexicon, WORDS, V, lm, scale=scale, **options)


def word_sequences(text):
    """Yield all word sequences of labels, by trying."""
    if not text:
        yield ()
    for length in range(1, len(text) + 1):
        for word, ways in WAYS.items():
            if list(text[:length]) in ways:
                for rest in word_sequences(text[length:]):
                    yield (word, *rest)


def best_words(text, walker):
    """Return (words, log-probability) of the best words of labels, if there are any."""
    scored = [(walker.log_prob(words), words) for words in word_sequences(text)]
    return max(scored)[::-1] if scored else None


def texts_of_words(longest):
    """Return all label sequences of words, up to a length."""
    texts = {()}
    ways = [tuple(way) for ways in WAYS.values() for way in ways]
    for _ in range(longest):
        texts |= {(*t, *way) for t in texts for way in ways if len(t + way) <= longest}
    return texts


def path_sum(model, enc_out, text, most, cache):
    """Sum all paths of a text, at most `most` labels a frame; 1 leaves the frame."""
    for u in range(len(text) + 1):
        if text[:u] not in cache:
            cache[text[:u]] = log_probs_after(model, enc_out, text[:u]).tolist()
    after = [cache[text[:u]] for u in range(len(text) + 1)]
    T = len(enc_out)
    scores = []
    for frames in itertools.combinations_with_replacement(range(T), len(text)):
        if any(frames.count(t) > most for t in frames):
            continue
        labels = sum(after[u][t][text[u]] for u, t in enumerate(frames))
        blanks = [t for t in range(T) if most > 1 or t not in frames]
        said = [sum(f <= t for f in frames) for t in blanks]
        scores.append(
            labels + sum(after[u][t][0] for u, t in zip(said, blanks, strict=True))
        )
    return math.log(sum(map(math.exp, scores))) if scores else None


def transducer_words(model, enc_out, longest, most):
    """Return (text, score) of all texts of words, without the language model."""
    cache = {}
    scored = [
        (text, path_sum(model, enc_out, text, most, cache))
        for text in texts_of_words(longest)
    ]
    return [(text, score) for text, score in scored if score is not None]


def with_words(texts, walker, scale):
    """Turn (text, score) into (text, words, score), the best first."""
    found = []
    for text, score in texts:
        best = best_words(text, walker)
        if best is not None:
            found.append((text, list(best[0]), score + scale * best[1]))
    return sorted(found, key=lambda one: -one[2])


def encode(T, seed=1, batch=1):
    torch.manual_seed(seed)
    return 2 * torch.randn(batch, T, 8, dtype=torch.float64)


def run(search, scorer, model, enc_out):
    lens = torch.tensor([enc_out.shape[1]])
    return LexiconSearch(search, scorer)(model, enc_out, lens)[0]


def assert_found(found, expected):
    assert len(found) == min(20, len(expected))
    for one, (text, words, score) in zip(found, expected, strict=False):
        assert tuple(one.tokens) == text
        assert one.words == words
        assert one.score == pytest.approx(score, abs=1e-3)


@pytest.mark.parametrize("seed", range(2))
def test_a_wide_modified_beam_finds_the_best_words_of_all(path, seed):
    model, enc_out = make_model(V, seed), encode(4)
    texts = transducer_words(model, enc_out[0], 4, 1)
    scorer = make_scorer(path, 0.7)
    search = ModifiedBeamSearch(WIDE, 20, fusion=Fusion([(scorer, 1.0)]))
    expected = with_words(texts, Walker(path), 0.7)
    assert_found(run(search, scorer, model, enc_out), expected)


@pytest.mark.parametrize("path", [2], indirect=True)
def test_a_wide_beam_finds_the_best_words_of_all(path):
    model, enc_out = make_model(V), encode(2)
    texts = transducer_words(model, enc_out[0], 4, 2)
    scorer = make_scorer(path, 0.7)
    search = BeamSearch(WIDE, 20, max_symbols=2, fusion=Fusion([(scorer, 1.0)]))
    expected = with_words(texts, Walker(path), 0.7)
    assert_found(run(search, scorer, model, enc_out), expected)


@pytest.mark.parametrize("path", [2], indirect=True)
def test_a_wide_ctc_beam_finds_the_best_words_of_all(path):
    model, enc_out = make_model(V), encode(4)
    words = texts_of_words(4)
    texts = [pair for pair in ctc_texts(model, enc_out[0]) if pair[0] in words]
    scorer = make_scorer(path, 0.7)
    search = CtcBeamSearch(WIDE, 20, fusion=Fusion([(scorer, 1.0)]))
    expected = with_words(texts, Walker(path), 0.7)
    assert_found(run(search, scorer, model, enc_out), expected)


def test_without_language_model_the_recognizer_chooses_among_words():
    model, enc_out = make_model(V, 1), encode(4)
    texts = transducer_words(model, enc_out[0], 4, 1)
    scorer = make_scorer()
    search = ModifiedBeamSearch(WIDE, 20, fusion=Fusion([(scorer, 1.0)]))
    expected = [
        (text, TOKENIZER.decode(text).split(), score)
        for text, score in sorted(texts, key=lambda one: -one[1])
    ]
    assert_found(run(search, scorer, model, enc_out), expected)


def replay(scorer, texts):
    """Return the summed scores of label sequences, ending included."""
    fusion = Fusion([(scorer, 1.0)])
    return score_labels(fusion, texts, CPU)


def test_scores_are_those_of_the_best_words(path):
    walker, scorer = Walker(path), make_scorer(path, 0.5)
    texts = sorted(texts_of_words(4) - {()})
    spelled = scorer.spell(texts)
    lens = torch.tensor([len(text) for text in texts])
    tokens = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(text) for text in texts], batch_first=True
    )
    log_probs = scorer.log_prob(tokens, lens).tolist()
    rows = zip(texts, spelled, log_probs, replay(scorer, texts), strict=True)
    for text, by, log_prob, score in rows:
        words, expected = best_words(text, walker)
        assert (by.words, by.is_whole) == (list(words), True)
        assert by.log_prob == pytest.approx(expected, abs=1e-4)
        assert log_prob == pytest.approx(expected, abs=1e-4)
        assert score == pytest.approx(0.5 * expected, abs=1e-4)
    assert scorer.words(texts[-1]) == spelled[-1].words


def test_a_later_word_decides_between_homophones(tmp_path):
    (tmp_path / "words.arpa").write_text(BIGRAM)
    text = [*LEXICON["TO"][0], *LEXICON["BEE"][0]]
    assert make_scorer(tmp_path / "words.arpa").words(text[:2]) == ["TO"]
    assert make_scorer(tmp_path / "words.arpa").words(text) == ["TWO", "BEE"]
    # One history alone has forgotten it.
    hasty = make_scorer(tmp_path / "words.arpa", histories=1)
    assert hasty.words(text) == ["TO", "BEE"]
    # Two are enough if those of the same state are one.
    two = make_scorer(tmp_path / "words.arpa", histories=2)
    assert two.words([*text[:2], *LEXICON["A"][0], *text])[1:] == ["A", "TWO", "BEE"]


@pytest.mark.parametrize("histories", [1, 2])
def test_search_and_spelling_agree_with_few_histories(path, histories):
    scorer = make_scorer(path, histories=histories)
    walker, texts = Walker(path), sorted(texts_of_words(5) - {()})
    for by, score in zip(scorer.spell(texts), replay(scorer, texts), strict=True):
        assert score == pytest.approx(walker.log_prob(by.words), abs=1e-3)


def test_look_ahead_gives_early_what_it_takes_back(path):
    plain, ahead = make_scorer(path, 0.7), make_scorer(path, 0.7)
    plain.ahead.zero_()
    texts = sorted(texts_of_words(5))[1:]
    assert replay(ahead, texts) == pytest.approx(replay(plain, texts), abs=1e-4)
    # Inside a word: the best unigram of the words that go on so.
    walker = Walker(path)
    state = ahead.start(1, CPU)
    first = ahead.scores(state)[0]
    starts = [w for w, ways in LEXICON.items() if any(x[0] == 4 for x in ways)]
    best = max(walker.back_off((), word) for word in known(starts, walker))
    assert first[4].item() == pytest.approx(0.7 * best, abs=1e-4)
    assert (plain.scores(plain.start(1, CPU))[0, [0, 3, 4, 5]] == 0).all()
    inside = ahead.advance(state, torch.tensor([4]))
    long = max(walker.back_off((), word) for word in known(["LONG"], walker))
    assert ahead.scores(inside)[0, 4].item() == pytest.approx(
        0.7 * (long - best), abs=1e-4
    )


def known(words, walker):
    return [word if (word,) in walker.entries else "<unk>" for word in words]


def test_labels_that_no_word_goes_on_with_are_out():
    scorer = make_scorer()
    state = scorer.start(3, CPU)
    state = scorer.advance(state, torch.tensor([0, 4, 3]))
    state = scorer.advance(state, torch.tensor([0, 4, 6]))
    allowed = (scorer.scores(state) > -torch.inf).int().tolist()
    root = [1, 0, 1, 1, 1, 1, 1, 1]  # <unk> is a word
    assert allowed == [root, [1, 0, 0, 1, 0, 0, 0, 0], root]
    assert scorer.final(state).tolist() == [0.0, NO_WORD, 0.0]
    stays = scorer.advance(state, torch.tensor([0, 6, 0]))
    for before, after in zip(state, stays, strict=True):
        assert torch.equal(before, after)


def test_unknown_words_have_a_label_of_their_own(path):
    scorer = make_scorer(path)
    text = [3, 6, UNK_ID, 6]
    expected = max(
        Walker(path).log_prob([word, "<unk>", "A"]) for word in ("TO", "TWO", "TOO")
    )
    (spelled,) = scorer.spell([text])
    assert spelled.words[1:] == ["<unk>", "A"]
    assert spelled.log_prob == pytest.approx(expected, abs=1e-4)


def test_labels_that_are_no_words(path):
    scorer = make_scorer(path)
    unfinished, wrong, empty = scorer.spell([[3, 6, 4], [3, 6, 1, 6], []])
    assert unfinished.words[1:] == ["<unk>"]
    assert not unfinished.is_whole
    assert unfinished.log_prob < NO_WORD
    assert wrong.log_prob < NO_WORD
    assert (empty.words, empty.is_whole) == ([], True)
    assert empty.log_prob == pytest.approx(Walker(path).log_prob([]), abs=1e-4)


def test_unfinished_words_are_left_out_unless_there_is_nothing_else():
    lexicon = {"LONG": LEXICON["LONG"]}
    scorer = make_scorer(lexicon=lexicon)
    search = ModifiedBeamSearch(8, 8, fusion=Fusion([(scorer, 1.0)]))
    model, enc_out = make_model(V), encode(3)
    found = run(search, scorer, model, enc_out)
    assert [] in [one.tokens for one in found]
    assert all(set(one.tokens) <= {UNK_ID} for one in found)
    with torch.no_grad():
        model.joiner.output.bias[4] += 1000  # nothing else can be said at first
    found = run(ModifiedBeamSearch(1, fusion=search.fusion), scorer, model, enc_out)
    assert [one.words for one in found] == [["<unk>"]]
    assert found[0].tokens[:2] == [4, 4]
    assert NO_WORD / 2 < found[0].score < 0


@pytest.mark.parametrize(
    "make",
    [
        lambda fusion: ModifiedBeamSearch(3, 3, fusion=fusion),
        lambda fusion: BeamSearch(3, 3, fusion=fusion),
        lambda fusion: CtcBeamSearch(3, 3, fusion=fusion),
        lambda fusion: GreedySearch(3, fusion=fusion),
    ],
    ids=["modified_beam_search", "beam_search", "ctc_beam", "greedy"],
)
@pytest.mark.parametrize("path", [2], indirect=True)
def test_a_result_does_not_depend_on_its_batch(make, path):
    scorer, model = make_scorer(path, 0.4), make_model(V)
    search = LexiconSearch(make(Fusion([(scorer, 1.0)])), scorer)
    lens = torch.tensor([8, 1, 12, 5, 0])
    enc_out = encode(12, batch=5)
    together = search(model, enc_out, lens)
    for b, T in enumerate(lens.tolist()):
        alone = search(model, enc_out[b : b + 1, : max(T, 1)], lens[b : b + 1])[0]
        for one, other in zip(together[b], alone, strict=True):
            assert (one.tokens, one.words) == (other.tokens, other.words)
            assert one.score == pytest.approx(other.score, abs=1e-3)
            assert one.words == scorer.words(one.tokens)
    assert together[4][0].words == []


def test_states_can_be_picked_and_joined(path):
    scorer = make_scorer(path)
    state = scorer.advance(scorer.start(3, CPU), torch.tensor([3, 4, 6]))
    (picked,) = select([state], torch.tensor([2, 2, 0]))
    (joined,) = concatenate_states([[picked], [state]])
    after = scorer.advance(joined, torch.tensor([3, 0, 6, 6, 7, 0]))
    again = scorer.advance(state, torch.tensor([6, 7, 0]))
    for one, other in zip(after, again, strict=True):
        assert torch.equal(one[3:], other)


@pytest.mark.gpu
def test_gpu_gives_what_the_cpu_gives(path):
    device = torch.device("cuda")
    here, there = make_scorer(path, 0.5), make_scorer(path, 0.5).to(device)
    texts = sorted(texts_of_words(5))
    labels = torch.nn.utils.rnn.pad_sequence([torch.tensor(t) for t in texts]).long()
    one, other = here.start(len(texts), CPU), there.start(len(texts), device)
    for column in labels:
        torch.testing.assert_close(there.scores(other).cpu(), here.scores(one))
        one, other = here.advance(one, column), there.advance(other, column.to(device))
    torch.testing.assert_close(there.final(other).cpu(), here.final(one))
    for first, second in zip(here.spell(texts), there.spell(texts), strict=True):
        assert first.words == second.words
