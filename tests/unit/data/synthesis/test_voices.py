"""What espeak-ng speaks, as far as it can be heard by numbers."""

from itertools import combinations

import numpy as np
import pytest

pytest.importorskip("espeakng_loader")

from asrkit.data.synthesis import espeak
from asrkit.data.synthesis.espeak import VoiceSettings, speak, speak_timed
from asrkit.data.synthesis.plan import draw_plan
from asrkit.data.synthesis.specs import DEMO, DEMO_HARD
from asrkit.utils.errors import InputError


def test_words_transcribed_before_cost_no_word_its_time():
    for _ in range(40):
        espeak.tonal_phonemes(["你"], "cmn")
    spoken = speak_timed("move seven", VoiceSettings(accent="en-US", variant="m3"))
    assert len(spoken.words or []) == 2


@pytest.mark.parametrize("gap", [0, 20])
def test_pauses_are_in_no_word(gap):
    voice = VoiceSettings(accent="en-US", variant="m3", word_gap=gap)
    speech = speak_timed("move seven old apples", voice)
    pauses = [
        start - end
        for (_, end), (start, _) in zip(speech.words, speech.words[1:], strict=False)
    ]
    for pause, (_, end) in zip(pauses, speech.words, strict=False):
        assert pause == pytest.approx(gap / 100 * espeak.SAMPLE_RATE, rel=0.1)
        if gap:
            silence = speech.samples[end + 300 : end + pause]
            assert np.abs(silence).max() < 0.01 * np.abs(speech.samples).max()


@pytest.mark.slow
@pytest.mark.parametrize("spec", [DEMO, DEMO_HARD], ids=["demo", "demo_hard"])
def test_espeak_says_when_each_word_of_a_corpus_is_spoken(tmp_path, spec):
    plan = draw_plan(tmp_path, spec)
    assert [
        (item.voice.accent, item.text)
        for item in plan
        if speak_timed(item.text.lower(), item.voice).words is None
    ] == []


def test_a_nasal_before_a_vowel_stays_with_its_word():
    """espeak-ng's word event comes before the N of SEVEN, "seve|n apples"."""
    lengths = []
    for gap in (0, 20):
        voice = VoiceSettings(accent="en-US", variant="m3", word_gap=gap)
        (start, end), (following, _) = speak_timed("seven apples", voice).words
        lengths.append(end - start)
        assert (end == following) == (gap == 0)
    # Without the N it would be a fifth shorter.
    assert lengths[0] == pytest.approx(lengths[1], rel=0.1)


@pytest.mark.parametrize("text", ["out of the box", "21", "a - b", "-"])
def test_no_word_times_where_espeak_has_other_words(text):
    assert speak_timed(text, VoiceSettings(accent="en-US", variant="m3")).words is None


def spectrum(variant):
    """Energy of 40 bands below 11 kHz, log10, and the pitch."""
    voice = VoiceSettings(accent="en-US", variant=variant)
    samples = speak("nine brown apples", voice)
    power = np.abs(np.fft.rfft(samples, n=1 << 17)) ** 2
    bands = np.array([band.sum() for band in np.array_split(power, 40)])
    return np.log10(bands / bands.sum()), pitch(samples)


def test_voices_differ():
    """Women are higher than men, and no two spectra are alike."""
    women, men = DEMO_HARD.female.split(), DEMO_HARD.male.split()
    spectra, pitches = {}, {}
    for variant in women + men:
        spectra[variant], pitches[variant] = spectrum(variant)
    assert min(pitches[variant] for variant in women) > 160
    assert np.median([pitches[variant] for variant in men]) < 130
    assert {*DEMO.female.split(), *DEMO.male.split()} < spectra.keys()
    for one, other in combinations(spectra.values(), 2):
        assert np.abs(one - other).mean() > 0.05


def pitch(samples):
    """Median over loud frames of the highest autocorrelation between 60 and 400 Hz."""
    lags = []
    for frame in np.array_split(samples, len(samples) // 1024):
        if frame.std() > samples.std():
            power = np.abs(np.fft.rfft(frame, n=4096)) ** 2
            lags.append(55 + np.fft.irfft(power)[55:368].argmax())
    return espeak.SAMPLE_RATE / np.median(lags)


def test_rate_and_pitch_are_heard():
    def say(**kwargs):
        return speak("please move the boxes", VoiceSettings(
            accent="en-US", variant="m3", **kwargs
        ))  # fmt: skip

    assert len(say(rate=120)) > 1.2 * len(say(rate=190))
    assert pitch(say(pitch=80)) > 1.2 * pitch(say(pitch=20))
    assert np.abs(say(volume=20)).max() < 0.5 * np.abs(say(volume=60)).max()
    assert len(say(word_gap=20)) > len(say()) + 0.3 * espeak.SAMPLE_RATE


@pytest.mark.parametrize("name", [{"variant": "nobody"}, {"accent": "en-XX"}])
def test_unknown_voice(name):
    voice = VoiceSettings(**{"accent": "en-US", "variant": "m1", **name})
    with pytest.raises(InputError, match=r"no voice .*en-029.*variants: .*m1"):
        speak("a", voice)


def test_voices_in_a_deep_folder(tmp_path, monkeypatch):
    """espeak-ng cuts long paths; asrkit may be installed in one."""
    deep = tmp_path / ("x" * 100) / ("y" * 100) / "data"
    deep.parent.mkdir(parents=True)
    deep.symlink_to(espeak.data_path())
    monkeypatch.setattr(espeak, "data_path", lambda: deep)
    espeak._library.cache_clear()
    voice = VoiceSettings(accent="en-US", variant="m1")
    assert len(speak("hello", voice)) > 0.2 * espeak.SAMPLE_RATE


def test_espeak_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "espeakng_loader", None)
    with pytest.raises(InputError, match=r"pip install 'asrkit\[demo\]'"):
        espeak.variants()
