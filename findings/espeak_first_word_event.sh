#!/usr/bin/env bash
# The event of the first word after espeak-ng's voice has been chosen many times.
#
# Version: espeak-ng 1.52.0, of espeakng-loader 0.2.4 (Python 3.11).
#
# Expected (written before the first run): espeak_Synth tells its callback of each word
# with an event WORD, whatever the library was asked for before, such as the phonemes
# of many words.
#
# Behaviour: a program that asks for phonemes may choose the voice for each word. Each
# espeak_SetVoiceByName, even of the voice that is set already, leaves an event
# SAMPLERATE for the next utterance. The list of the first callback holds 30 events
# (more with a longer buffer), and what finds no place is left out, without a word:
# after 29 calls that is the first WORD, after 100 the event of the sentence as well.
# The utterance after that has all of them. After 153 calls, too, the first WORD is
# there.
#
# Seen (events of "move seven old apples", WORD by their position in the text):
#   28 calls: 28 SAMPLERATE, 1 SENTENCE, WORD 1 6 12 16; then WORD 1 6 12 16
#   29 calls: 29 SAMPLERATE, 1 SENTENCE, WORD 6 12 16; then WORD 1 6 12 16
#   100 calls: 30 SAMPLERATE, 0 SENTENCE, WORD 6 12 16; then WORD 1 6 12 16
#   153 calls: 30 SAMPLERATE, 1 SENTENCE, WORD 1 6 12 16; then WORD 1 6 12 16
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet espeakng-loader==0.2.4

cat > "$work/speak.py" <<'PY'
import ctypes
import sys

import espeakng_loader

SYNCHRONOUS, UTF8 = 2, 1
END, WORD, SENTENCE, SAMPLERATE = 0, 1, 2, 8


class Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


found = {}


@ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(Event)
)
def receive(samples, num_samples, events):
    index = 0
    while (event := events[index]).type != END:
        found.setdefault(event.type, []).append(event.text_position)
        index += 1
    return 0


espeak = ctypes.CDLL(espeakng_loader.get_library_path())
espeak.espeak_Initialize(SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
espeak.espeak_SetSynthCallback(receive)


def speak(text):
    """Return the events of each type."""
    found.clear()
    size = ctypes.c_size_t(len(text) + 1)
    espeak.espeak_Synth(text, size, 0, 0, 0, UTF8, None, None)
    return dict(found)


calls = int(sys.argv[1])
for _ in range(calls):
    espeak.espeak_SetVoiceByName(b"en-us")
first, second = (speak(b"move seven old apples") for _ in range(2))
rates, sentences = (len(first.get(kind, [])) for kind in (SAMPLERATE, SENTENCE))
print(f"{calls} calls: {rates} SAMPLERATE, {sentences} SENTENCE,", end=" ")
print("WORD", *first[WORD], end="; then ")
print("WORD", *second[WORD])
assert second[WORD] == [1, 6, 12, 16]
lost = [1] if calls in (29, 100) else []
assert [1, 6, 12, 16] == lost + first[WORD], "the first word is lost otherwise"
PY

for calls in 28 29 100 153; do
    "$work/venv/bin/python" -I "$work/speak.py" "$calls"
done
