#!/usr/bin/env bash
# The tones of Mandarin in espeak-ng's phonetic alphabet.
#
# Version: espeak-ng 1.52.0, of espeakng-loader 0.2.4 (Python 3.11).
#
# Expected (written before the first run): espeak_TextToPhonemes tells the four tones of
# one syllable apart in either mode, in its own mnemonics and, with bit 1 of the mode,
# in the International Phonetic Alphabet, which has a way to write each.
#
# Behaviour: the mnemonics have two or three digits a tone, from 5 (high) to 1 (low). Of
# them the phonetic alphabet keeps the first alone, so that the high and the falling
# tone are one, and writes that of the rising tone as a vowel, ɜ.
#
# Seen:
#   妈 ma1: m'A55, in IPA mˈɑ5
#   麻 ma2: m'A35, in IPA mˈɑɜ
#   马 ma3: m'A214, in IPA mˈɑ2
#   骂 ma4: m'A51, in IPA mˈɑ5
#
# Reported as espeak-ng/espeak-ng issue 1275 (open).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet espeakng-loader==0.2.4

"$work/venv/bin/python" -I -X utf8 - <<'PY'
import ctypes

import espeakng_loader

SYNCHRONOUS, UTF8, IPA = 2, 1, 2

espeak = ctypes.CDLL(espeakng_loader.get_library_path())
espeak.espeak_Initialize(SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
espeak.espeak_TextToPhonemes.restype = ctypes.c_char_p
espeak.espeak_SetVoiceByName(b"cmn")


def phonemes(text, mode):
    buffer = ctypes.create_string_buffer(text.encode())
    rest = ctypes.c_void_p(ctypes.addressof(buffer))
    spoken = espeak.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, mode)
    return spoken.decode().removesuffix("_|")


words = {"ma1": "妈", "ma2": "麻", "ma3": "马", "ma4": "骂"}
mnemonics = {name: phonemes(word, 0) for name, word in words.items()}
ipa = {name: phonemes(word, IPA) for name, word in words.items()}
for name, word in words.items():
    print(f"{word} {name}: {mnemonics[name]}, in IPA {ipa[name]}")
assert len(set(mnemonics.values())) == 4
assert ipa["ma1"] == ipa["ma4"], "the high and the falling tone are told apart"
assert ipa["ma2"].endswith("ɜ"), "the rising tone is no vowel"
PY
