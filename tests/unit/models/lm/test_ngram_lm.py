"""The n-gram model in tensors, against a walk over the lines of an ARPA file."""

import copy
import itertools
import math
import random

import pytest
import torch

from asrkit.models.lm.ngram_lm import NgramLm, load_ngram_lm, load_word_lm
from asrkit.text.ngram.arpa import write_arpa
from asrkit.text.ngram.kneser_ney import train_kneser_ney

TOKENS = ["<blk>", "<sos/eos>", "<unk>", "▁A", "B", "C", "D", "E", "F"]
V = len(TOKENS)
CPU = torch.device("cpu")
LN10 = math.log(10)


class Walker:
    """Back-off by the book: a dictionary of the file's lines and recursion."""

    def __init__(self, path):
        self.entries = {}
        self.order = 0
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.endswith("-grams:"):
                self.order = int(line[1:].split("-")[0])
            elif line and self.order and not line.startswith("\\"):
                log10, *rest = line.split()
                words, weight = rest[: self.order], rest[self.order :]
                entry = float(log10), float(weight[0]) if weight else 0.0
                self.entries[tuple(words)] = entry

    def score(self, history, word):
        """Return log P(word | history), the history beginning with <s>."""
        known = [w if (w,) in self.entries else "<unk>" for w in (*history, word)]
        *context, word = known
        return self.back_off(
            tuple(context[max(0, len(context) - self.order + 1) :]), word
        )

    def back_off(self, context, word):
        if (*context, word) in self.entries:
            return self.entries[(*context, word)][0] * LN10
        if not context:
            return -100 * LN10
        weight = self.entries.get(context, (0.0, 0.0))[1] * LN10
        return weight + self.back_off(context[1:], word)

    def log_prob(self, words):
        sentence = ["<s>", *words, "</s>"]
        return sum(
            self.score(sentence[:i], sentence[i]) for i in range(1, len(sentence))
        )


def write_random(path, order, *, words=TOKENS[2:7], seed=0):
    """Write a model whose numbers mean nothing, so that none is like another.

    It lacks tokens, suffixes of its n-grams, and most weights.
    """
    draw = random.Random(seed)
    sections = [[("<s>",), ("</s>",), *((word,) for word in words)]]
    for n in range(2, order + 1):
        contexts = [row for row in sections[-1] if row[-1] != "</s>"]
        rows = [(*c, w) for c in contexts for w in [*words, "</s>"]]
        sections.append(draw.sample(rows, k=max(1, len(rows) // (n + 1))))
    lines = ["\\data\\"]
    lines += [f"ngram {n}={len(rows)}" for n, rows in enumerate(sections, start=1)]
    for n, rows in enumerate(sections, start=1):
        lines += ["", f"\\{n}-grams:"]
        for row in rows:
            weight = f"\t{draw.uniform(-2, 1):.5f}" if n < order else ""
            weight *= draw.random() < 0.7
            lines.append(f"{draw.uniform(-3, 0):.5f}\t{' '.join(row)}{weight}")
    path.write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")


@pytest.fixture(params=[1, 2, 3, 5])
def order(request):
    return request.param


@pytest.fixture
def path(tmp_path, order):
    write_random(tmp_path / "lm.arpa", order)
    return tmp_path / "lm.arpa"


@pytest.fixture
def sentences():
    lens = torch.tensor([9, 0, 1, 14, 5, 2])
    tokens = torch.randint(1, V, (len(lens), int(lens.max())))
    return tokens * (torch.arange(tokens.shape[1]) < lens[:, None]), lens


def draw_labels(walker, length):
    """Draw tokens that often make n-grams of the model, and blanks between them."""
    labels = []
    while len(labels) < length:
        words = random.choice(list(walker.entries))
        labels += [TOKENS.index(word) for word in words if word in TOKENS]
        labels += random.choices(range(V), k=random.randrange(2))
    return labels[:length]


def test_scores_along_sentences(path):
    walker, model = Walker(path), load_ngram_lm(path, TOKENS)
    N = 40
    sentences = torch.tensor([draw_labels(walker, 12) for _ in range(N)])
    histories = [["<s>"] for _ in range(N)]
    state = model.start(N, CPU)
    for labels in sentences.T:
        scores, final = model.scores(state), model.final(state)
        assert scores.shape == (N, V)
        assert (scores[:, 0] == 0).all()
        expected = [
            [walker.score(history, piece) for piece in [*TOKENS[1:], "</s>"]]
            for history in histories
        ]
        found = torch.cat([scores[:, 1:], final[:, None]], dim=1)
        torch.testing.assert_close(found, torch.tensor(expected))
        before = state[0].clone()
        after = model.advance(state, labels)
        assert torch.equal(state[0], before)
        state = after
        for history, label in zip(histories, labels.tolist(), strict=True):
            history += [TOKENS[label]] if label else []  # one with blank stays


def test_scores_of_given_tokens(path):
    walker, model = Walker(path), load_ngram_lm(path, TOKENS)
    sentences = torch.tensor([draw_labels(walker, 8) for _ in range(20)])
    (nodes,) = model.start(20, CPU)
    for labels in sentences.T:
        (nodes,) = model.advance((nodes,), labels)
    histories = [["<s>", *(TOKENS[i] for i in row if i)] for row in sentences.tolist()]
    tokens = torch.arange(V)
    log_probs, (after,) = model.score((nodes[:, None],), tokens)
    assert log_probs.shape == after.shape == (20, V)
    expected = [
        [walker.score(history, word) for word in ["</s>", *TOKENS[1:]]]
        for history in histories
    ]
    torch.testing.assert_close(log_probs, torch.tensor(expected))
    for label in range(1, V):
        (there,) = model.advance((nodes,), torch.full_like(nodes, label))
        assert torch.equal(after[:, label], there)


def test_words_of_other_vocabularies_change_nothing(path):
    some = [*TOKENS[:3], "C", "▁A", "Z"]
    walker, model = Walker(path), load_word_lm(path, some)
    rows = torch.randint(2, len(some), (50, 6))
    expected = [walker.log_prob([some[i] for i in row]) for row in rows.tolist()]
    found = model.log_prob(rows, torch.full((50,), 6))
    torch.testing.assert_close(found, torch.tensor(expected))


def test_whole_sentences(path, sentences):
    walker, model = Walker(path), load_ngram_lm(path, TOKENS)
    tokens, lens = sentences
    expected = [
        walker.log_prob([TOKENS[i] for i in row[:length]])
        for row, length in zip(tokens.tolist(), lens.tolist(), strict=True)
    ]
    found = model.log_prob(tokens, lens)
    torch.testing.assert_close(found, torch.tensor(expected))
    tokens[torch.arange(tokens.shape[1]) >= lens[:, None]] = 4
    assert torch.equal(model.log_prob(tokens, lens), found)
    # A sentence is as likely by itself as among others.
    for row, length in enumerate(lens.tolist()):
        alone = model.log_prob(tokens[row : row + 1, :length], lens[row : row + 1])
        torch.testing.assert_close(alone, found[row : row + 1])


def test_model_without_unk(tmp_path):
    path = tmp_path / "lm.arpa"
    write_random(path, 2, words=TOKENS[3:6])
    walker, model = Walker(path), load_ngram_lm(path, TOKENS)
    scores = model.scores(model.start(1, CPU))[0]
    expected = [walker.score(["<s>"], piece) for piece in TOKENS[1:]]
    torch.testing.assert_close(scores[1:], torch.tensor(expected))
    assert scores[2] < -200


def test_orders_without_ngrams(tmp_path):
    # What pruning may leave of a small model.
    path = tmp_path / "lm.arpa"
    write_random(path, 1)
    text = path.read_text(encoding="utf-8")
    counts = text.replace("\n\n", "\nngram 2=0\nngram 3=0\n\n", 1)
    path.write_text(counts.replace("\\end", "\\2-grams:\n\n\\3-grams:\n\n\\end"))
    walker, model = Walker(path), load_ngram_lm(path, TOKENS)
    state = model.advance(model.start(1, CPU), torch.tensor([3]))
    expected = [walker.score(["<s>", "▁A"], piece) for piece in TOKENS[1:]]
    torch.testing.assert_close(model.scores(state)[0, 1:], torch.tensor(expected))


def train(order, count=300):
    """Train on sentences in which one token depends on the two before it."""
    sentences = []
    for _ in range(count):
        words = [3, 4]
        while len(words) < 20 and random.random() > 0.1:
            likely = 2 + (words[-1] + 2 * words[-2]) % (V - 2)
            words.append(likely if random.random() < 0.7 else random.randrange(2, V))
        sentences.append(words)
    return sentences, train_kneser_ney(sentences, V, order=order)


def test_perplexity(tmp_path):
    sentences, table = train(3)
    write_arpa(tmp_path / "lm.arpa", table, TOKENS)
    walker = Walker(tmp_path / "lm.arpa")
    model = load_ngram_lm(tmp_path / "lm.arpa", TOKENS)
    rows = [torch.tensor(words) for words in sentences]
    lens = torch.tensor([len(row) for row in rows])
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    total = model.log_prob(tokens, lens).double().sum().item()
    expected = sum(walker.log_prob([TOKENS[i] for i in words]) for words in sentences)
    count = int(lens.sum()) + len(rows)
    assert math.exp(-total / count) == pytest.approx(
        math.exp(-expected / count), rel=1e-6
    )


def test_kenlm_gives_the_same_score(tmp_path):
    kenlm = pytest.importorskip("kenlm")
    sentences, table = train(4)
    write_arpa(tmp_path / "lm.arpa", table, TOKENS)
    model, peer = NgramLm(table, V), kenlm.Model(str(tmp_path / "lm.arpa"))
    for words in sentences[:20]:
        text = " ".join(TOKENS[i] for i in words)
        found = model.log_prob(torch.tensor([words]), torch.tensor([len(words)]))
        assert found.item() == pytest.approx(peer.score(text) * LN10, abs=1e-3)


AS_OTHERS_WRITE = """\\data\\
ngram 1=6
ngram 2=4
ngram 3=2

\\1-grams:
-2\t<unk>\t0
-inf\t<s>\t-0.5
-0.8\t</s>\t0
-0.4\tpeut\u00a0être\t-0.2
-0.6\tC\t-0.3
-inf\tD\t-0.1

\\2-grams:
-0.3\t<s> peut\u00a0être\t-0.15
-0.25\tpeut\u00a0être C\t0
-0.2\tC </s>
-0.7\tC C\t-0.35

\\3-grams:
-0.11\t<s> peut\u00a0être C\t0
-0.05\tC C </s>\t-0

\\end\\
"""


@pytest.mark.parametrize(
    ("words", "log10"),
    [
        (["peut\u00a0être", "C"], -0.61),
        (["C"], -1.3),
        (["C", "C"], -1.85),
        (["peut\u00a0être"], -1.45),
        (["X", "C", "C", "peut\u00a0être"], -5.85),
        (["peut", "être"], -5.3),
    ],
)
def test_files_that_kenlm_reads_score_as_there(tmp_path, words, log10):
    """By kenlm 0.3.0 of PyPI.

    lmplz leaves U+00A0 inside words; other toolkits write back-off weights of 0 at the
    highest order and -inf for what is never predicted.
    """
    path = tmp_path / "lm.arpa"
    path.write_text(AS_OTHERS_WRITE, encoding="utf-8")
    known = [*TOKENS[:3], "peut\u00a0être", "C", "D"]
    model = load_word_lm(path, known)
    ids = [known.index(word) if word in known else 2 for word in words]
    found = model.log_prob(torch.tensor([ids]), torch.tensor([len(ids)]))
    assert found.item() == pytest.approx(log10 * LN10, abs=1e-5)


def test_a_word_of_probability_zero_stays_finite(tmp_path):
    path = tmp_path / "lm.arpa"
    path.write_text(AS_OTHERS_WRITE, encoding="utf-8")
    known = [*TOKENS[:3], "peut\u00a0être", "C", "D"]
    scores = load_word_lm(path, known).scores((torch.arange(4),))
    assert torch.isfinite(scores).all()
    assert scores[:, 5].max() < -98 * LN10


def test_probabilities_sum_to_one():
    _, table = train(3)
    model = NgramLm(table, V)
    pairs = torch.tensor(list(itertools.product(range(1, V), repeat=2)))
    state = model.start(len(pairs), CPU)
    for step in range(3):
        total = model.scores(state)[:, 1:].exp().sum(1) + model.final(state).exp()
        torch.testing.assert_close(total, torch.ones(len(pairs)))
        state = model.advance(state, pairs[:, step % 2])


def test_state_dict_brings_the_model_back(tmp_path):
    models = []
    for seed in range(4):  # of the same sizes, but not with the most arcs at one node
        write_random(tmp_path / "lm.arpa", 2, seed=seed)
        models.append(load_ngram_lm(tmp_path / "lm.arpa", TOKENS))
    nodes = (torch.arange(V + 1),)
    for first, second in itertools.permutations(models, 2):
        again = copy.deepcopy(second)
        assert not torch.equal(first.scores(nodes), again.scores(nodes))
        again.load_state_dict(first.state_dict())
        assert torch.equal(first.scores(nodes), again.scores(nodes))


@pytest.mark.gpu
def test_gpu_gives_what_the_cpu_gives(path, sentences):
    model, device = load_ngram_lm(path, TOKENS), torch.device("cuda")
    moved = copy.deepcopy(model).to(device)
    tokens, lens = sentences
    torch.testing.assert_close(
        moved.log_prob(tokens.to(device), lens.to(device)).cpu(),
        model.log_prob(tokens, lens),
    )
    here, there = model.start(len(lens), CPU), moved.start(len(lens), device)
    for labels in tokens.T:
        here, there = (
            model.advance(here, labels),
            moved.advance(there, labels.to(device)),
        )
        torch.testing.assert_close(moved.scores(there).cpu(), model.scores(here))
        torch.testing.assert_close(moved.final(there).cpu(), model.final(here))
