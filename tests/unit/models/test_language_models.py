"""Language models: one answer for whole sentences and token by token."""

import copy

import pytest
import torch
import torch.nn.functional as F

from asrkit.models.lm.language_model import sentence_losses
from asrkit.models.lm.lstm_lm import LstmLmConfig
from asrkit.models.lm.transformer_lm import TransformerLmConfig

V = 11
LENS = torch.tensor([5, 0, 39, 3])  # more than the Transformer's memory has at first
CONFIGS = {
    "lstm": LstmLmConfig(num_layers=2, dim=16, dropout=0.5),
    "transformer": TransformerLmConfig(
        num_layers=2, dim=16, num_heads=2, ff_dim=24, dropout=0.5
    ),
}
CPU = torch.device("cpu")


@pytest.fixture(params=CONFIGS)
def model(request):
    torch.manual_seed(1)
    model = CONFIGS[request.param].build(V).double().eval()
    with torch.no_grad():  # so that nothing is nearly equal by chance
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model


@pytest.fixture
def tokens():
    drawn = torch.randint(1, V, (len(LENS), int(LENS.max())))
    return drawn * (torch.arange(drawn.shape[1]) < LENS[:, None])


def whole(model, tokens):
    """Return log-probabilities (B, U + 1, V)."""
    return model(tokens, LENS).log_softmax(-1)


def test_scores_of_a_walk_are_those_of_the_whole_sentence(model, tokens):
    expected = whole(model, tokens)
    state = model.start(len(LENS), CPU)
    total = torch.zeros(len(LENS), dtype=torch.float64)
    read, rows = torch.zeros_like(LENS), torch.arange(len(LENS))
    while True:
        scores = model.scores(state)
        torch.testing.assert_close(scores[:, 1:], expected[rows, read, 1:])
        assert (scores[:, 0] == 0).all()
        torch.testing.assert_close(model.final(state), expected[rows, read, 0])
        both = torch.cat([model.final(state)[:, None], scores[:, 1:]], dim=1)
        torch.testing.assert_close(both.exp().sum(1), torch.ones_like(total))
        if (read == LENS).all():
            break
        # Each at its own pace, as in a search: who emits no label stays.
        emits = (read < LENS) & (torch.rand(len(LENS)) < 0.7)
        labels = tokens[rows, read.clamp(max=tokens.shape[1] - 1)] * emits
        total += scores.gather(1, labels[:, None])[:, 0]
        state = model.advance(state, labels)
        read = read + emits
    total += model.final(state)
    torch.testing.assert_close(model.log_prob(tokens, LENS), total)


def test_states_can_be_reordered_and_branched(model, tokens):
    expected = whole(model, tokens)
    state = model.start(len(LENS), CPU)
    for u in range(3):
        state = model.advance(state, tokens[:, u])
    kept = copy.deepcopy(state)
    order = torch.tensor([3, 0, 0, 2, 1])  # row 1 has no token, row 3 three
    chosen = tuple(part.index_select(0, order) for part in state)
    labels = torch.tensor([4, tokens[0, 3], 7, tokens[2, 3], 0])
    model.advance(state, torch.full_like(LENS, 9))  # must not touch the state
    advanced = model.advance(chosen, labels)
    torch.testing.assert_close(model.scores(advanced)[1, 1:], expected[0, 4, 1:])
    torch.testing.assert_close(model.scores(advanced)[3, 1:], expected[2, 4, 1:])
    torch.testing.assert_close(model.scores(advanced)[4, 1:], expected[1, 0, 1:])
    for row, other, label in ((0, 3, 4), (2, 0, 7)):
        read = torch.cat([tokens[other, :3], torch.tensor([label])])[None]
        alone = model(read, torch.tensor([4])).log_softmax(-1)
        torch.testing.assert_close(model.final(advanced)[row], alone[0, 4, 0])
    for part, copied in zip(state, kept, strict=True):
        assert torch.equal(part, copied)


def test_padding_and_neighbours_change_nothing(model, tokens):
    noise = torch.randint(1, V, tokens.shape)
    spoiled = torch.where(torch.arange(tokens.shape[1]) < LENS[:, None], tokens, noise)
    together = model.log_prob(spoiled, LENS)
    for row, length in enumerate(LENS.tolist()):
        alone = model.log_prob(tokens[row : row + 1, :length], LENS[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone)


def test_the_loss_is_that_of_the_tokens_and_the_end(model, tokens):
    logits = model(tokens, LENS)
    losses = sentence_losses(logits, tokens, LENS)
    for row, length in enumerate(LENS.tolist()):
        targets = torch.cat([tokens[row, :length], torch.tensor([0])])
        expected = F.cross_entropy(logits[row, : length + 1], targets, reduction="none")
        torch.testing.assert_close(losses[row, : length + 1], expected)
        assert (losses[row, length + 1 :] == 0).all()
    assert sentence_losses(logits.bfloat16(), tokens, LENS).dtype is torch.float32


def test_all_parameters_learn_and_dropout_drops(model, tokens):
    model.train()
    losses = [-model.log_prob(tokens, LENS).sum() for _ in range(2)]
    assert losses[0] != losses[1]
    losses[0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_an_impossible_head_size_is_refused():
    with pytest.raises(ValueError, match=r"lm.model.dim 20 must be a multiple"):
        TransformerLmConfig(dim=20, num_heads=4)
