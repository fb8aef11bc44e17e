#!/usr/bin/env bash
# How espeak-ng reads Mandarin syllables in -iong.
#
# Version: espeak-ng 1.52.0, of espeakng-loader 0.2.4 (Python 3.11).
#
# Expected (written before the first run): the voice cmn reads 穷 (qiong2, "poor") as a
# syllable of Mandarin with its tone, as it reads the other finals after q, alone and
# within a text.
#
# Behaviour: it reads 穷 as "qiong two" in English, in the middle of a text, too, and
# says so only in its phonemes: "(en)". The other finals after q it reads as Mandarin; 用
# (yong4), which has the same final behind no consonant, as well. Of the characters
# U+4E00 to U+9FA5 it reads 84 in English; 83 are jiong, qiong or xiong, and one is 兒.
#
# Seen:
#   q with 14 finals, read in English: 穷
#   穷: (en)kI2;@Nt'u:(cmn)
#   用: j'ong51
#   兄弟很穷: (en)kS@Nw'0n(cmn) t'i51 X'@214n (en)kI2;@Nt'u:(cmn)
#   of 20902 characters, 84 in English
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet espeakng-loader==0.2.4

"$work/venv/bin/python" -I -X utf8 - <<'PY'
import ctypes

import espeakng_loader

SYNCHRONOUS, UTF8 = 2, 1

espeak = ctypes.CDLL(espeakng_loader.get_library_path())
espeak.espeak_Initialize(SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
espeak.espeak_TextToPhonemes.restype = ctypes.c_char_p
espeak.espeak_SetVoiceByName(b"cmn")


def phonemes(text):
    buffer = ctypes.create_string_buffer(text.encode())
    rest = ctypes.c_void_p(ctypes.addressof(buffer))
    spoken = espeak.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, 0)
    return spoken.decode().replace("_|", "")


def in_english(characters):
    return [char for char in characters if "(en)" in phonemes(char)]


# qi, qia, qian, qiang, qiao, qie, qin, qing, qiong, qiu, qu, quan, que, qun
of_q = in_english("七恰前强桥切亲青穷秋去全却群")
print("q with 14 finals, read in English:", *of_q)
for text in ("穷", "用", "兄弟很穷"):
    print(f"{text}: {phonemes(text)}")
characters = [chr(code) for code in range(0x4E00, 0x9FA6)]
of_all = in_english(characters)
print(f"of {len(characters)} characters, {len(of_all)} in English")
assert of_q == ["穷"], "qiong is read as Mandarin, or others are not"
assert "(en)" not in phonemes("用")
assert phonemes("兄弟很穷").count("(en)") == 2
assert len(of_all) == 84
PY
