"""The tree of the words' pronunciations."""

import pytest
import torch

from asrkit.decoding.fusion.lexicon_tree import LexiconTree
from tests.unit.decoding.fusion.test_lexicon import LEXICON, V


def test_the_tree_is_that_of_the_prefixes():
    ways = dict(enumerate(LEXICON.values()))
    tree = LexiconTree(ways, V)
    prefixes = {
        tuple(w[:n]) for way in ways.values() for w in way for n in range(len(w) + 1)
    }
    assert len(tree.first_edge) - 1 == len(prefixes)
    found = {}
    for prefix in prefixes:
        node = torch.zeros(1, dtype=torch.int64)
        for label in prefix:
            node = tree.follow(node, torch.tensor([label]))
        found[prefix] = node
        _, labels, _ = tree.edges(node)
        longer = sorted(p[-1] for p in prefixes if p and p[:-1] == prefix)
        assert labels.tolist() == longer
        _, words = tree.words(node)
        expected = [i for i, way in ways.items() if list(prefix) in way]
        assert sorted(words.tolist()) == expected
        assert tree.is_end(node).item() == bool(expected)
    assert len({int(node) for node in found.values()}) == len(prefixes)
    # Of homophones those come first whose first pronunciation it is.
    assert tree.words(found[5, 7])[1].tolist() == [6, 5]
    assert tree.words(found[7,])[1].tolist() == [2]
    nowhere = tree.follow(found[3, 6].repeat(V), torch.arange(V))
    assert nowhere.tolist() == [-1] * V


def test_a_word_must_not_end_inside_another():
    with pytest.raises(ValueError, match="end-of-word piece"):
        LexiconTree({0: [[3, 4]], 1: [[3, 4, 5]]}, V)
