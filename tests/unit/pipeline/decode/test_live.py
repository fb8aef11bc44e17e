"""What of a stream's text is settled."""

from types import SimpleNamespace

from asrkit.pipeline.decode.live import Live
from asrkit.text.bpe import BpeTokenizerConfig


def test_a_character_of_bytes_is_settled_when_it_is_whole():
    config = BpeTokenizerConfig(vocab_size=275, byte_fallback=True)
    tokenizer = config.train(["HELLO", "HELLO A"])
    text = "HELLO \u60a8\U0001f642 A"
    ids = tokenizer.encode(text)
    settled = []
    for count in range(len(ids) + 1):
        search = SimpleNamespace(
            found=lambda: [[SimpleNamespace(tokens=ids)]],
            settled=lambda count=count: [count],
        )
        live = SimpleNamespace(
            search=search, recognizer=SimpleNamespace(tokenizer=tokenizer)
        )
        settled.append(Live.settled(live).rstrip())
    assert all(text.startswith(one) for one in settled)
    assert settled == sorted(settled, key=len)
    assert settled[-1] == text
    assert len(set(settled)) < len(settled)  # some bytes are waited for
