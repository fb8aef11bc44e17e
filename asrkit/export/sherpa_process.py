"""Recognizes audio with sherpa-onnx, in a process of its own.

It ends the process where something is wrong with a file, and carries an onnxruntime of
its own. `sherpa` starts this file with a request as JSON on standard input and reads
what was found from standard output. It knows nothing of asrkit.
"""

import json
import sys
from typing import Any

import numpy as np

_AT_ONCE = 20
"""Utterances of a batch."""
Found = list[tuple[list[str], list[float]]]
"""Of each utterance: tokens, and the seconds at which each begins."""


def main() -> None:
    """Answer one request."""
    import sherpa_onnx

    request = json.load(sys.stdin)
    waves = np.load(request["audio"])
    audio = [waves[name] for name in waves.files]
    make = getattr(sherpa_onnx, request["recognizer"])
    recognizer = getattr(make, request["make"])(**request["options"])
    find = stream if request["recognizer"] == "OnlineRecognizer" else recognize
    found: Found = []
    for start in range(0, len(audio), _AT_ONCE):
        some = audio[start : start + _AT_ONCE]
        found += find(recognizer, some, request["rate"])
    json.dump(found, sys.stdout)


def recognize(recognizer: Any, audio: list[Any], rate: int) -> Found:
    """Recognize whole utterances in a batch."""
    streams = [recognizer.create_stream() for _ in audio]
    for one, samples in zip(streams, audio, strict=True):
        one.accept_waveform(rate, samples)
    recognizer.decode_streams(streams)
    return [(list(one.result.tokens), list(one.result.timestamps)) for one in streams]


def stream(recognizer: Any, audio: list[Any], rate: int) -> Found:
    """Recognize streams, whichever of them has a chunk."""
    streams = [recognizer.create_stream() for _ in audio]
    for one, samples in zip(streams, audio, strict=True):
        one.accept_waveform(rate, samples)
        one.input_finished()
    while ready := [one for one in streams if recognizer.is_ready(one)]:
        recognizer.decode_streams(ready)
    return [(recognizer.tokens(one), recognizer.timestamps(one)) for one in streams]


if __name__ == "__main__":
    main()
