"""Which calls are drawn."""

import hashlib
from collections import Counter
from dataclasses import astuple

from asrkit.data.synthesis.telephone.calls import draw_calls
from asrkit.data.synthesis.telephone.specs import DIALOGUES

CALLS = list(draw_calls(DIALOGUES))


def test_two_voices_take_turns():
    parts = Counter(call.part for call in CALLS)
    assert parts == {"train": 20, "dev": 4, "test_swbd": 2, "test_callhome": 2}
    turns = Counter()
    for call in CALLS:
        turns[call.part] += len(call)
        sides = [turn.side for turn in call.turns]
        assert sides == [0, 1] * (len(call) // 2) + [0] * (len(call) % 2)
        voices = {(turn.side, turn.spoken.voice.variant) for turn in call.turns}
        assert len(voices) == 2
    assert turns == DIALOGUES.spoken.utterances


def test_names_put_dev_last():
    names = {call.part: [] for call in CALLS}
    for call in CALLS:
        names[call.part].append(call.name)
    assert max(names["train"]) < min(names["dev"])
    assert names["test_swbd"] == ["sw_4390", "sw_4391"]
    assert names["test_callhome"] == ["en_4156", "en_4157"]


def test_parts_share_no_voice_and_no_sentence():
    voices, texts = {}, {}
    for call in CALLS:
        for turn in call.turns:
            part = call.part
            assert voices.setdefault(turn.spoken.voice.variant, part) == part
            assert texts.setdefault(turn.spoken.text, part) == part


def test_the_corpus_is_the_same_everywhere():
    """Results are compared across years: what changes it counts up its version."""
    plain = repr([astuple(call) for call in CALLS])
    assert hashlib.sha256(plain.encode()).hexdigest()[:16] == "db41b110ae91ffc1"
