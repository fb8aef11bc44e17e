"""What searches fuse, from files."""

import pytest
import torch

from asrkit.decoding.fusion.fusion import concatenate_states
from asrkit.pipeline.decode.fusion import read_phrases
from asrkit.text.char import CharTokenizerConfig
from asrkit.utils.errors import InputError

TOKENIZER = CharTokenizerConfig().train(["ABC AB", "CAB"])


def test_phrases_are_read_with_their_boosts(tmp_path):
    path = tmp_path / "phrases.txt"
    path.write_text("AB C\n\nCAB\t2.5\n")
    phrases, boosts = read_phrases(path, TOKENIZER, 1.0)
    assert [TOKENIZER.decode(phrase) for phrase in phrases] == ["AB C", "CAB"]
    assert boosts == [1.0, 2.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AB\nXAB", "line 2: the tokenizer lacks X"),
        ("AB\tmuch", "line 1: 'much' is not a boost"),
        ("\n", "holds no phrase"),
    ],
)
def test_bad_phrases_are_named(tmp_path, text, message):
    path = tmp_path / "phrases.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_phrases(path, TOKENIZER, 1.0)


def test_a_missing_phrase_file_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot read the phrases"):
        read_phrases(tmp_path / "none.txt", TOKENIZER, 1.0)


def test_memories_of_different_lengths_stand_behind_one_another():
    long, short = torch.ones(2, 3, 4), torch.ones(1, 2, 4)
    ((joined, counts),) = concatenate_states(
        [[(long, torch.tensor([3, 3]))], [(short, torch.tensor([2]))]]
    )
    assert joined.shape == (3, 3, 4)
    assert joined[2, :2].eq(1).all()
    assert joined[2, 2].eq(0).all()
    assert counts.tolist() == [3, 3, 2]
