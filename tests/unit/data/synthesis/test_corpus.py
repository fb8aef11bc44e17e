"""The demo corpus, as far as it can be heard by numbers."""

import random
from collections import defaultdict
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

pytest.importorskip("espeakng_loader")

from asrkit.data.corpora.folder import find_sources
from asrkit.data.synthesis import corpus as demo_corpus
from asrkit.data.synthesis import espeak
from asrkit.data.synthesis import utterance as demo_speech
from asrkit.data.synthesis.corpus import synthesize
from asrkit.data.synthesis.espeak import Speech, VoiceSettings, speak, speak_timed
from asrkit.data.synthesis.sentences import TEMPLATES, WORDS, draw_sentences
from asrkit.data.synthesis.utterance import SAMPLE_RATE, render
from asrkit.utils.errors import InputError
from tests.unit.data.corpora.formats.reading import read_part

SIZES = {"train": 9, "dev": 3, "test": 4}
FULL = {"train": 1000, "dev": 60, "test": 100}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "corpus"
    synthesize(folder, **SIZES, jobs=2)
    return folder


def test_layout_and_sizes(corpus):
    assert list(find_sources(corpus)) == ["train", "dev", "test"]
    for part, size in SIZES.items():
        recordings = {path.stem for path in (corpus / part).glob("*/1/*.flac")}
        lines = [
            line
            for path in (corpus / part).glob("*/1/*.trans.txt")
            for line in path.read_text().splitlines()
        ]
        assert {line.split()[0] for line in lines} == recordings
        assert len(lines) == size


def test_every_utterance_is_heard_whole(corpus):
    for path in corpus.glob("*/*/1/*.flac"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels) == (16000, 1)
        assert info.subtype == "PCM_16"
        samples, _ = soundfile.read(path)
        assert 0.9 < info.duration < 4.5, path
        assert 0.01 < np.abs(samples).max() < 0.99, path
        # 50 ms of pause on both sides: nothing is cut off.
        edge = np.concatenate([samples[:640], samples[-640:]])
        assert edge.std() < 0.1 * samples.std(), path
        # No long hole: the loudest of every 500 ms is speech.
        frames = samples[: len(samples) // 8000 * 8000].reshape(-1, 8000)
        assert np.abs(frames).max(axis=1).min() > 0.1 * np.abs(samples).max(), path


def level(samples, start, end):
    """RMS between two times, dB."""
    return 20 * np.log10(samples[round(start * 16000) : round(end * 16000)].std())


def timed_utterances(corpus):
    """Yield the samples of each utterance, with its words from the manifests."""
    for part in SIZES:
        cuts, left_out = read_part(corpus, part)
        assert left_out == []
        for cut in cuts:
            (supervision,) = cut.supervisions
            words = supervision.alignment["word"]
            assert [word.symbol for word in words] == supervision.text.split()
            yield cut.load_audio()[0], words


def test_word_times_are_in_order_and_in_the_speech(corpus):
    seen = 0
    for samples, words in timed_utterances(corpus):
        seen += 1
        times = [time for word in words for time in (word.start, word.end)]
        assert times == sorted(times)
        for word in words:
            assert 0.05 < word.end - word.start < 1
        # There are 50 to 200 ms of pause on both sides.
        assert 0.05 <= times[0] < 0.26
        assert 0.04 < len(samples) / 16000 - times[-1] < 0.26
        noise = level(samples, 0, times[0] - 0.01)
        assert level(samples, times[-1] + 0.02, len(samples) / 16000) < noise + 6
        for word in words:
            assert level(samples, word.start, word.end) > noise + 10
        # The first sound is where the first word begins.
        assert level(samples, times[0] - 0.002, times[0] + 0.02) > noise + 3
    assert seen == sum(SIZES.values())


def test_stops_begin_words_with_silence(corpus):
    """Their closure, of 35 ms or more: a word 20 ms off begins with sound."""
    seen = 0
    for samples, words in timed_utterances(corpus):
        for word in words[1:]:
            if word.symbol in {"PUT", "PURPLE", "TWO", "TEACHER", "CARRY", "KITCHEN"}:
                seen += 1
                closure = level(samples, word.start + 0.014, word.start + 0.034)
                assert closure < level(samples, word.start + 0.05, word.end) - 18
    assert seen > 3


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


def test_utterances_without_word_times_are_named(tmp_path, monkeypatch, caplog):
    plan = demo_corpus._plan(tmp_path, {"train": 0, "dev": 0, "test": 2}, 0)
    chapter = [replace(item, path=plan[0].path.parent / f"{n}.flac", text=text)
               for n, (item, text) in enumerate(zip(plan, ("A BOX", "OUT OF THE BOX"),
                                                    strict=True))]  # fmt: skip
    demo_corpus._speak_all(chapter, jobs=1)
    assert "words of 1 utterances" in caplog.text
    assert caplog.text.rstrip().endswith(": 1")
    ctm = next(tmp_path.rglob("*.words.ctm")).read_text()
    assert [line.split()[0] for line in ctm.splitlines()] == ["0", "0"]


def test_same_settings_same_samples(corpus, tmp_path):
    """Breathy voices too, whose noise espeak-ng seeds with the time of day."""
    synthesize(tmp_path / "again", **SIZES, jobs=1)
    paths = sorted(path.relative_to(corpus) for path in corpus.glob("*/*/1/*"))
    assert len(paths) > sum(SIZES.values())
    for path in paths:
        assert (tmp_path / "again" / path).read_bytes() == (corpus / path).read_bytes()


def test_finished_corpus_is_left_alone(corpus, monkeypatch):
    monkeypatch.delattr(demo_corpus, "_speak_all")
    synthesize(corpus, **SIZES)


def test_other_settings_replace_a_corpus(tmp_path):
    folder = tmp_path / "corpus"
    synthesize(folder, train=2, dev=0, test=0)
    synthesize(folder, train=1, dev=0, test=0)
    assert len(list(folder.glob("train/*/1/*.flac"))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_folder_of_something_else_is_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="no demo corpus"):
        synthesize(tmp_path, train=1, dev=1, test=1)
    assert (tmp_path / "thesis.txt").exists()


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write the demo corpus .*file/corpus"):
        synthesize(tmp_path / "file" / "corpus", train=1, dev=0, test=0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_parts_share_nothing(tmp_path, seed):
    shared = defaultdict(lambda: defaultdict(set))
    plan = demo_corpus._plan(tmp_path, FULL, seed)
    voice_of = {}
    for item in plan:
        part, speaker = item.path.relative_to(tmp_path).parts[:2]
        voice = (item.voice.accent, item.voice.variant)
        assert voice_of.setdefault(speaker, voice) == voice
        for what, value in (
            ("variant", item.voice.variant),
            ("speaker", speaker),
            ("text", item.text),
        ):
            shared[what][part].add(value)
    for parts in shared.values():
        for one, other in combinations(parts.values(), 2):
            assert not one & other
    assert {part: len(x) for part, x in shared["text"].items()} == FULL
    voices = {part: len(speakers) for part, speakers in shared["speaker"].items()}
    assert voices == {"train": 40, "dev": 8, "test": 8}
    assert len(set(voice_of.values())) == len(voice_of)


def test_more_to_train_on_keeps_the_test_set(tmp_path):
    def test_part(train):
        plan = demo_corpus._plan(tmp_path, {**FULL, "train": train}, 0)
        return [item for item in plan if item.path.parts[-4] == "test"]

    assert test_part(1000) == test_part(10)


def test_voices_differ():
    """Women are higher than men, and no two spectra are alike."""
    text = "nine brown apples"
    pitches, spectra = {}, {}
    for variant in ("f1", "f5", "linda", "m1", "m8", "Diogo"):
        samples = speak(text, VoiceSettings(accent="en-US", variant=variant))
        pitches[variant] = pitch(samples)
        power = np.abs(np.fft.rfft(samples, n=1 << 17)) ** 2
        bands = np.array([band.sum() for band in np.array_split(power, 40)])
        spectra[variant] = np.log10(bands / bands.sum())
    assert min(pitches[v] for v in ("f1", "f5", "linda")) > 160
    assert max(pitches[v] for v in ("m1", "m8", "Diogo")) < 130
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


def test_render(tmp_path, monkeypatch):
    """A tone in place of speech comes out at its pitch, level and noise."""
    time = np.arange(2 * espeak.SAMPLE_RATE) / espeak.SAMPLE_RATE
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    silence = np.zeros(5000, dtype=np.float32)
    said = Speech(
        np.concatenate([silence, tone, silence]),
        # The first word begins in the silence, the last one ends in the other.
        [(4000, 5000 + 22050), (5000 + 33075, 5000 + 44100 + 2000)],
    )
    monkeypatch.setattr(espeak, "speak_timed", lambda text, voice: said)
    utterance = SimpleNamespace(
        text="A B", voice=None, level=-20.0, snr=30.0, pink=False, lead=0.5, trail=0.25,
        noise_seed=0,
    )  # fmt: skip
    for utterance.pink in (False, True):
        samples, words = render(utterance)
        assert [word.text for word in words] == ["A", "B"]
        times = [time for word in words for time in (word.start, word.end)]
        assert times == pytest.approx([0.5, 1.5, 2.0, 2.5], abs=1e-4)
        assert len(samples) == pytest.approx(2.75 * SAMPLE_RATE, abs=50)
        noise, speech = samples[:7900], samples[8100:39900]
        assert speech.std() == pytest.approx(0.1, rel=0.01)
        assert 20 * np.log10(speech.std() / noise.std()) == pytest.approx(30, abs=1)
        spectrum = np.abs(np.fft.rfft(speech))
        assert spectrum.argmax() / len(speech) * SAMPLE_RATE == pytest.approx(
            1000, abs=1
        )
        low, high = np.array_split(np.abs(np.fft.rfft(noise))[40:], 2)
        ratio = (low**2).mean() / (high**2).mean()
        assert ratio > 2 if utterance.pink else 0.9 < ratio < 1.1


def test_resampling():
    def sine(rate, seconds=1.3):
        return 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)

    new = demo_speech._resample(sine(22050), 22050, 16000)
    assert len(new) == 20800
    np.testing.assert_allclose(new[500:-500], sine(16000)[500:-500], atol=1e-3)


def test_sentences():
    (sentences,) = draw_sentences([2000], random.Random(0))
    counts = defaultdict(int)
    for sentence in sentences:
        assert 3 <= len(sentence.split()) <= 8
        for word in sentence.split():
            counts[word] += 1
    slots = {word for words in WORDS.values() for word in words.split()}
    fixed = {word for line in TEMPLATES for word in line.split() if word not in WORDS}
    assert set(counts) == slots | fixed
    assert 45 <= len(counts) <= 60
    assert min(counts.values()) >= 40
