"""The demo corpora, as far as they can be heard by numbers."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

pytest.importorskip("espeakng_loader")

from asrkit.data.corpora.folder import find_sources
from asrkit.data.synthesis import corpus as demo_corpus
from asrkit.data.synthesis.corpus import synthesize
from asrkit.data.synthesis.layout import LIBRISPEECH
from asrkit.data.synthesis.plan import draw_plan
from asrkit.data.synthesis.specs import DEMO, DEMO_HARD
from asrkit.utils.errors import InputError
from tests.unit.data.corpora.formats.reading import read_part

SIZES = {"train": 9, "dev": 5, "test": 6}
SPECS = {
    "demo": replace(DEMO, utterances=SIZES),
    "demo_hard": replace(DEMO_HARD, utterances=SIZES),
}


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    folders = {name: tmp_path_factory.mktemp(name) / "corpus" for name in SPECS}
    for name, folder in folders.items():
        synthesize(folder, SPECS[name], jobs=2)
    return folders


@pytest.fixture
def demo(spoken):
    return spoken["demo"]


@pytest.mark.parametrize("name", SPECS)
def test_layout_and_sizes(spoken, name):
    corpus = spoken[name]
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


@pytest.mark.parametrize("name", SPECS)
def test_format_length_and_peaks(spoken, name):
    for path in spoken[name].glob("*/*/1/*.flac"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels) == (16000, 1)
        assert info.subtype == "PCM_16"
        samples, _ = soundfile.read(path)
        assert 0.01 < np.abs(samples).max() < 0.985, path
        assert 0.9 < info.duration < 8, path


def test_every_utterance_is_heard_whole(demo):
    for path in demo.glob("*/*/1/*.flac"):
        info = soundfile.info(path)
        samples, _ = soundfile.read(path)
        assert 0.9 < info.duration < 4.5, path
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


def test_word_times_are_in_order_and_in_the_speech(demo):
    seen = 0
    for samples, words in timed_utterances(demo):
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


@pytest.mark.parametrize("name", SPECS)
def test_every_utterance_has_word_times(spoken, name):
    for samples, words in timed_utterances(spoken[name]):
        times = [time for word in words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert 0.05 <= times[0] < 0.26
        assert 0.04 < len(samples) / 16000 - times[-1] < 0.26


def test_stops_begin_words_with_silence(demo):
    """Their closure, of 35 ms or more: a word 20 ms off begins with sound."""
    seen = 0
    for samples, words in timed_utterances(demo):
        for word in words[1:]:
            if word.symbol in {"PUT", "PURPLE", "TWO", "TEACHER", "CARRY", "KITCHEN"}:
                seen += 1
                closure = level(samples, word.start + 0.014, word.start + 0.034)
                assert closure < level(samples, word.start + 0.05, word.end) - 18
    assert seen > 3


def test_utterances_without_word_times_are_named(tmp_path, monkeypatch, caplog):
    two = {"train": 0, "dev": 0, "test": 2}
    plan = draw_plan(tmp_path, replace(DEMO, utterances=two))
    chapter = [replace(item, path=plan[0].path.parent / f"{n}.flac", text=text)
               for n, (item, text) in enumerate(zip(plan, ("A BOX", "OUT OF THE BOX"),
                                                    strict=True))]  # fmt: skip
    LIBRISPEECH.write_transcripts(
        tmp_path, chapter, demo_corpus._speak_all(chapter, jobs=1)
    )
    assert "words of 1 utterances" in caplog.text
    assert caplog.text.rstrip().endswith(": 1")
    ctm = next(tmp_path.rglob("*.words.ctm")).read_text()
    assert [line.split()[0] for line in ctm.splitlines()] == ["0", "0"]


@pytest.mark.parametrize("name", SPECS)
def test_same_settings_same_samples(spoken, name, tmp_path):
    """Breathy voices too, whose noise espeak-ng seeds with the time of day."""
    corpus = spoken[name]
    synthesize(tmp_path / "again", SPECS[name], jobs=1)
    paths = sorted(path.relative_to(corpus) for path in corpus.glob("*/*/1/*"))
    assert len(paths) > sum(SIZES.values())
    for path in paths:
        assert (tmp_path / "again" / path).read_bytes() == (corpus / path).read_bytes()


@pytest.mark.parametrize("name", SPECS)
def test_finished_corpus_is_left_alone(spoken, name, monkeypatch):
    monkeypatch.delattr(demo_corpus, "_speak_all")
    synthesize(spoken[name], SPECS[name])


def small(train):
    return replace(DEMO, utterances={"train": train, "dev": 0, "test": 0})


def test_other_settings_replace_a_corpus(tmp_path):
    folder = tmp_path / "corpus"
    for train in (2, 1):
        synthesize(folder, small(train))
    assert len(list(folder.glob("train/*/1/*.flac"))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_folder_of_something_else_is_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="no demo corpus"):
        synthesize(tmp_path, small(1))
    assert (tmp_path / "thesis.txt").exists()


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write the demo corpus .*file/corpus"):
        synthesize(tmp_path / "file" / "corpus", small(1))
