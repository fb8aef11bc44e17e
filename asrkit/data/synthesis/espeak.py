"""Speech and phones from espeak-ng, the library in the package espeakng-loader."""

import atexit
import ctypes
import functools
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asrkit.data.synthesis.espeak_events import Event, RawEvent, read_events, word_spans
from asrkit.utils.errors import InputError

SAMPLE_RATE = 22050
"""Hz; espeak-ng knows no other."""

# Names and values of espeak-ng's speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_PHONEME_EVENTS = 0x0001
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_EE_OK = 0
_RATE, _VOLUME, _PITCH, _RANGE, _WORDGAP = 1, 2, 3, 4, 7
# The library keeps the path of its voices in a buffer of this size and cuts what is
# longer, after which it finds no voice.
_LONGEST_PATH = 150
# espeak-ng's International Phonetic Alphabet, a separator between phones.
_SEPARATOR = "_"
_IPA_MODE = 0x02 | ord(_SEPARATOR) << 8
_STRESS = re.compile("[ˈˌ]")
# Its own letters for phones instead, and what stands between and before them.
_LETTERS_MODE = ord(_SEPARATOR) << 8
_BETWEEN = re.compile("[_'|, ]+")
# Consonants that espeak-ng takes for a part of the vowel before them: ɑːɹ, əl.
_JOINED = re.compile("(?<=.)(?=[ɹlɚ]$)")
# espeak-ng reads II to XLIX, in either case, as "roman two" and so on. Two of them are
# words as well (CMUdict has no other): as those it reads them with a capital letter.
_NUMERAL = re.compile(r"\b(?=..)(?:xl|x{0,3})(?:ix|iv|v?i{0,3})\b")
_NAME = re.compile(r"\b[vx]i\b")

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.POINTER(ctypes.c_short),
    ctypes.c_int,
    ctypes.POINTER(RawEvent),
)


@dataclass(frozen=True, kw_only=True)
class VoiceSettings:
    """How espeak-ng speaks."""

    accent: str
    """One of `languages()`, e.g. "en-US" or "cmn"."""
    variant: str
    """One of `variants()`, e.g. "f2"."""
    rate: int = 175
    """Words per minute, 80 to 450."""
    pitch: int = 50
    """0 to 100, 50 is the variant's own."""
    pitch_range: int = 50
    """0 (a monotone) to 100, 50 is the variant's own."""
    volume: int = 50
    """0 to 200; above 50 or so the louder variants clip."""
    word_gap: int = 0
    """Extra pause between words, in units of 10 ms."""


@dataclass(frozen=True)
class Speech:
    """What espeak-ng has spoken."""

    samples: np.ndarray
    """In [-1, 1], (num_samples,), float32, at `SAMPLE_RATE`."""
    words: list[tuple[int, int]] | None
    """The first sample of each word of the text and the one after its last; None where
    espeak-ng took words together or apart, so that its words are not the text's."""


def accents() -> list[str]:
    """List the English accents that espeak-ng ships."""
    # en-Shaw reads the Shavian alphabet only.
    files = (data_path() / "lang" / "gmw").glob("en*")
    return sorted(file.name for file in files if file.name != "en-Shaw")


def languages() -> list[str]:
    """List the languages, and their accents, that espeak-ng ships."""
    files = (path for path in (data_path() / "lang").rglob("*") if path.is_file())
    return sorted(file.name for file in files)


def variants() -> list[str]:
    """List the voice variants that espeak-ng ships."""
    return sorted(file.name for file in (data_path() / "voices" / "!v").iterdir())


def data_path() -> Path:
    """Return the folder of espeak-ng's voices and dictionaries.

    Raises:
        InputError: espeakng-loader is not installed.
    """
    try:
        import espeakng_loader
    except ImportError as error:
        raise InputError(
            "the demo corpus and its phones come from espeak-ng, which is not "
            "installed: pip install 'asrkit[demo]'"
        ) from error
    return Path(espeakng_loader.get_data_path())


def speak(text: str, voice: VoiceSettings) -> np.ndarray:
    """Return the samples of `speak_timed` alone."""
    return speak_timed(text, voice).samples


def speak_timed(text: str, voice: VoiceSettings) -> Speech:
    """Speak a text.

    The library keeps state from one utterance to the next: the same calls in the same
    order from a fresh process give the same samples, the same call twice does not.

    Raises:
        InputError: espeak-ng is not installed, or has no such accent or variant.
    """
    # espeak-ng accepts any variant and takes its default when there is none such.
    if voice.variant not in variants() or voice.accent not in languages():
        raise InputError(
            f"espeak-ng has no voice {voice.accent}+{voice.variant}; "
            f"languages: {', '.join(languages())}; variants: {', '.join(variants())}"
        )
    return _library().speak(text, voice)


def phonemes(words: Sequence[str], accent: str) -> list[list[str]]:
    """Return how words are spoken, each by itself.

    The phones are those of the International Phonetic Alphabet without stress; vowels
    coloured by a following ɹ, l or ɚ are taken apart. Upper case is read as lower case:
    "IT" is a word here, no abbreviation.

    Args:
        words: Any strings without blanks.
        accent: One of `accents()`.

    Returns:
        The phones of each word; none where it has no letter, or something that is
        neither a Latin letter nor punctuation: espeak-ng would read digits in one of
        several ways, and of other scripts the names of the letters. Nor are there any
        for Roman numerals that it would call so ("roman two").

    Raises:
        InputError: espeak-ng is not installed, or has no such accent.
    """
    if accent not in accents():
        raise InputError(
            f"espeak-ng has no accent {accent!r}; there are {', '.join(accents())}"
        )
    library = _library()
    library.read_as(accent)
    return [
        _pronounce(library, word.lower()) if _is_readable(word) else []
        for word in words
    ]


def tonal_phonemes(words: Sequence[str], language: str) -> list[str]:
    """Return how words of a tonal language are spoken, each by itself.

    Of a tone like 51 the phonetic alphabet of `phonemes` keeps the first digit only.

    Args:
        words: Any strings without blanks.
        language: One of `languages()`, e.g. "cmn".

    Returns:
        espeak-ng's own letters for the phonemes, with tones, parted by blanks; empty of
        a word that it reads as one of another language.
    """
    library = _library()
    library.read_as(language)
    read = [library.phoneme_letters(word) for word in words]
    # It says which one in brackets.
    return ["" if "(" in one else _BETWEEN.sub(" ", one).strip() for one in read]


def _pronounce(library: "_Library", word: str) -> list[str]:
    """Return the phones of a word in lower case, none of a Roman numeral."""
    word = _NAME.sub(lambda name: name[0].capitalize(), word)
    for numeral in _NUMERAL.findall(word):
        roman = library.phonemes("roman")
        if library.phonemes(numeral)[: len(roman)] == roman:
            return []
    return library.phonemes(word)


def _is_readable(word: str) -> bool:
    latin = [unicodedata.name(char, "").startswith("LATIN") for char in word]
    return any(latin) and all(
        known or unicodedata.category(char).startswith("P")
        for char, known in zip(word, latin, strict=True)
    )


class _Library:
    def __init__(self) -> None:
        folder = data_path()
        import espeakng_loader

        if len(str(folder)) > _LONGEST_PATH:
            link_folder = tempfile.mkdtemp(prefix="espeak-")
            atexit.register(shutil.rmtree, link_folder, ignore_errors=True)
            link = Path(link_folder) / "data"
            link.symlink_to(folder, target_is_directory=True)
            folder = link
        self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
        rate = self._lib.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS,
            0,
            str(folder).encode(),
            _INITIALIZE_DONT_EXIT | _INITIALIZE_PHONEME_EVENTS,
        )
        if rate != SAMPLE_RATE:
            raise InputError(
                f"espeak-ng does not start with the voices in {folder}; "
                "reinstall it: pip install --force-reinstall espeakng-loader"
            )
        # It has just seeded the noise of its breathy voices with the time of day.
        self._lib.espeak_ng_SetRandSeed(ctypes.c_long(1))
        self._lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._voice = ""
        self._pieces: list[np.ndarray] = []
        self._events: list[Event] = []
        # Kept as an attribute: C holds no reference that would keep it alive.
        self._callback = _Callback(self._receive)
        self._lib.espeak_SetSynthCallback(self._callback)

    def _receive(
        self,
        samples: "ctypes._Pointer[ctypes.c_short]",
        n: int,
        events: "ctypes._Pointer[RawEvent]",
    ) -> int:
        self._events += read_events(events)
        if n > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (n,)).copy())
        return 0

    def phonemes(self, text: str) -> list[str]:
        plain = _STRESS.sub("", self._transcribe(text, _IPA_MODE))
        phones = plain.replace(_SEPARATOR, " ").split()
        return [part for one in phones for part in _JOINED.split(one)]

    def phoneme_letters(self, text: str) -> str:
        return self._transcribe(text, _LETTERS_MODE)

    def _transcribe(self, text: str, mode: int) -> str:
        buffer = ctypes.create_string_buffer(text.encode())
        rest = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses: list[str] = []
        while rest.value is not None:  # It stops at commas and the like.
            spoken = self._lib.espeak_TextToPhonemes(
                ctypes.byref(rest), _CHARS_UTF8, mode
            )
            clauses.append(spoken.decode())
        return " ".join(clauses)

    def read_as(self, language: str) -> None:
        """Choose whose words are transcribed, unless they are so already.

        Each choice leaves an event for the next utterance, and after some thirty the
        event of its first word finds no place.
        """
        if language != self._voice:
            self.choose_voice(language)

    def choose_voice(self, name: str) -> None:
        self._voice = name
        if self._lib.espeak_SetVoiceByName(name.encode()) != _EE_OK:
            raise InputError(f"espeak-ng cannot load its voice {name}")

    def speak(self, text: str, voice: VoiceSettings) -> Speech:
        self.choose_voice(f"{voice.accent}+{voice.variant}")
        # After the voice, which brings its own.
        for parameter, value in (
            (_RATE, voice.rate),
            (_VOLUME, voice.volume),
            (_PITCH, voice.pitch),
            (_RANGE, voice.pitch_range),
            (_WORDGAP, voice.word_gap),
        ):
            self._lib.espeak_SetParameter(parameter, value, 0)
        self._pieces.clear()
        self._events.clear()
        data = text.encode()
        size = ctypes.c_size_t(len(data) + 1)
        self._lib.espeak_Synth(data, size, 0, 0, 0, _CHARS_UTF8, None, None)
        pieces = [np.zeros(0, dtype=np.int16), *self._pieces]
        samples = np.concatenate(pieces).astype(np.float32) / 32768
        return Speech(samples, word_spans(text, self._events, len(samples)))


@functools.cache
def _library() -> _Library:
    return _Library()
