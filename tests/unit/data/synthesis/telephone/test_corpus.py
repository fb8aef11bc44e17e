"""The spoken calls, as far as they can be heard by numbers."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

pytest.importorskip("espeakng_loader")

from asrkit.data.audio.signal import read
from asrkit.data.corpora.folder import Reading
from asrkit.data.corpora.telephone.switchboard import find_parts
from asrkit.data.corpora.telephone.text import TRAINING
from asrkit.data.synthesis.telephone.calls import draw_calls
from asrkit.data.synthesis.telephone.corpus import synthesize_dialogues
from asrkit.data.synthesis.telephone.line import RATE, pass_band, render
from asrkit.data.synthesis.telephone.specs import DIALOGUES

SIZES = {"train": 40, "dev": 8, "test_swbd": 4, "test_callhome": 4}
SMALL = replace(DIALOGUES, spoken=replace(DIALOGUES.spoken, utterances=SIZES))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calls") / "corpus"
    synthesize_dialogues(folder, SMALL, jobs=2)
    return folder


def power(samples, low, high, rate=RATE):
    """Return the mean power density between two frequencies, dB."""
    density = np.abs(np.fft.rfft(samples)) ** 2
    frequency = np.fft.rfftfreq(len(samples), 1 / rate)
    return 10 * np.log10(density[(frequency >= low) & (frequency < high)].mean())


def test_recordings_are_a_telephones(corpus):
    paths = sorted(corpus.rglob("*.sph"))
    assert len(paths) == 28
    for path in paths[::4]:
        info = soundfile.info(path)
        assert (info.samplerate, info.channels) == (8000, 2)
        assert (info.format, info.subtype) == ("NIST", "ULAW")
        for side in soundfile.read(path)[0].T:
            assert power(side, 20, 150) < power(side, 400, 3200) - 25


def test_the_band_of_a_telephone():
    noise = np.random.default_rng(0).standard_normal(2**17)
    heard = pass_band(noise)

    def loss(low, high):
        return power(noise, low, high, 16000) - power(heard, low, high, 16000)

    assert abs(loss(500, 3000)) < 0.2
    assert loss(295, 305) == pytest.approx(3, abs=0.5)
    assert loss(3390, 3410) == pytest.approx(3, abs=0.5)
    assert loss(50, 100) > 35
    assert loss(4000, 8000) > 20


def test_all_is_read_as_the_real_corpus_is(corpus, tmp_path):
    parts = find_parts(corpus, TRAINING)
    assert set(parts) == set(SIZES)
    for part, source in parts.items():
        cuts, left_out = Reading(audio_dir=tmp_path, jobs=1).prepare(source, part)
        reasons = {row.reason.partition(":")[0] for row in left_out}
        assert reasons <= {"no word is said", "the transcriber was in doubt"}
        doubts = sum("doubt" in row.reason for row in left_out)
        assert len(cuts) + doubts == SIZES[part]
        for cut in cuts:
            # Speech, with a pause on both sides in which little is heard.
            samples = read(cut, RATE)
            edge = np.concatenate([samples[:320], samples[-320:]])
            assert edge.std() < 0.3 * samples.std(), cut.id


def test_turns_overlap_a_little_and_never_their_own():
    (call, *_) = draw_calls(SMALL)
    ten = replace(call, turns=call.turns * 10)
    samples, heard = render(ten)
    assert samples.shape[1] == 2
    ends = [0.0, 0.0]
    overlapping = 0
    for one in heard:
        side = one.turn.side
        assert one.start > ends[side]
        overlapping += one.start < ends[1 - side]
        ends[side] = one.end
    assert 0 < overlapping < len(heard) / 2 + 5
    assert max(ends) < len(samples) / RATE


def test_the_same_samples_again(corpus, tmp_path):
    synthesize_dialogues(tmp_path / "again", SMALL, jobs=1)
    paths = [path for path in corpus.rglob("*") if path.is_file()]
    assert len(paths) == 28 + 2 * 24 + 2 + 1
    for path in paths:
        again = tmp_path / "again" / path.relative_to(corpus)
        assert again.read_bytes() == path.read_bytes()
