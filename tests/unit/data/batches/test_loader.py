"""From manifests to batches, with real small recordings."""

import itertools

import numpy as np
import pytest
import soundfile
import torch
from lhotse import CutSet, Recording, SupervisionSegment

from asrkit.data.audio.files import cut_pieces, read_audio
from asrkit.data.batches.batch import collate
from asrkit.data.batches.cuts import CutList, plan_cuts
from asrkit.data.batches.loader import make_loader
from asrkit.data.batches.stored_features import store_features
from asrkit.data.corpora.manifests import load_cuts, write_manifests
from asrkit.data.features.fbank import FeaturesConfig
from asrkit.data.features.wave_augment import WaveAugmentConfig
from asrkit.text.char import CharTokenizerConfig
from asrkit.utils.errors import InputError

TEXTS = ["ONE TWO", "THREE", "FOUR FIVE SIX", "SEVEN"]


@pytest.fixture
def cuts(tmp_path):
    made = []
    for index, text in enumerate(TEXTS):
        rate = 8000 if index == 3 else 16000
        samples = 0.1 * np.random.default_rng(index).standard_normal(
            rate // 2 + 800 * index
        )
        path = tmp_path / f"{index}.flac"
        soundfile.write(path, samples, rate)
        recording = Recording.from_file(path, recording_id=str(index))
        supervision = SupervisionSegment(
            str(index), str(index), 0.0, recording.duration, text=text, speaker="s"
        )
        cut = recording.to_cut()
        cut.id, cut.supervisions = str(index), [supervision]
        made.append(cut)
    return CutSet.from_cuts(made)


@pytest.fixture
def tokenizer():
    return CharTokenizerConfig().train(TEXTS)


def plan(cuts):
    return plan_cuts(
        CutList(cuts), max_duration=1.5, max_cuts=None, num_buckets=2, seed=3
    )


def load(cuts, tokenizer, count=6, num_workers=0, augment=None):
    loader = make_loader(
        plan(cuts), tokenizer, 16000, augment=augment, stored_features=False,
        num_workers=num_workers, prefetch=2,
    )  # fmt: skip
    return [batch for batch, _ in itertools.islice(loader, count)]


def test_a_batch_holds_what_the_cuts_hold(cuts, tokenizer):
    batch = collate(cuts, tokenizer, 16000, stored_features=False)
    assert batch.texts == TEXTS
    for row, cut in enumerate(cuts):
        samples, rate = soundfile.read(cut.recording.sources[0].source)
        if rate == 16000:
            read = batch.signal[row, : batch.signal_lens[row]]
            np.testing.assert_allclose(read, samples, atol=1e-6)
        assert batch.signal_lens[row] == round(cut.duration * 16000)
        tokens = batch.tokens[row, : batch.token_lens[row]].tolist()
        assert tokenizer.decode(tokens) == TEXTS[row]
    assert batch.seconds == pytest.approx(sum(c.duration for c in cuts))


def test_workers_change_nothing(cuts, tokenizer):
    augment = WaveAugmentConfig(speeds=[0.9, 1.1]).build()
    alone = load(cuts, tokenizer, augment=augment)
    shared = load(cuts, tokenizer, num_workers=2, augment=augment)
    for a, b in zip(alone, shared, strict=True):
        assert a.ids == b.ids
        # Workers have one thread, for which torch convolves (resamples) another way.
        torch.testing.assert_close(a.signal, b.signal, rtol=0, atol=1e-6)


def test_speed_perturbation_changes_the_length(cuts, tokenizer):
    slow = WaveAugmentConfig(speeds=[0.5]).build()
    batch = collate(slow(cuts, seed=1), tokenizer, 16000, stored_features=False)
    plain = collate(cuts, tokenizer, 16000, stored_features=False)
    torch.testing.assert_close(batch.signal_lens, 2 * plain.signal_lens, atol=2, rtol=0)
    assert batch.ids == plain.ids


def test_noise_is_mixed_at_the_asked_level(cuts, tokenizer, tmp_path):
    noise_dir = tmp_path / "noise"
    noise_dir.mkdir()
    hum = 0.3 * np.sin(np.arange(16000) * 0.5)
    soundfile.write(noise_dir / "hum.wav", hum, 16000)
    augment = WaveAugmentConfig(
        speeds=[1.0], noise_dir=str(noise_dir), noise_snr=[10.0, 10.0],
        noise_probability=1.0,
    ).build()  # fmt: skip
    first = cuts.subset(first=3)
    clean = collate(first, tokenizer, 16000, stored_features=False)
    noisy = collate(augment(first, seed=1), tokenizer, 16000, stored_features=False)
    for row, length in enumerate(clean.signal_lens):
        speech = clean.signal[row, :length]
        added = noisy.signal[row, :length] - speech
        snr = 10 * torch.log10(speech.square().mean() / added.square().mean())
        assert snr.item() == pytest.approx(10.0, abs=0.5)


def test_stored_features_equal_those_computed_now(cuts, tokenizer, tmp_path):
    fbank = FeaturesConfig().build()
    write_manifests({"train": cuts}, {}, tmp_path)
    store_features(
        tmp_path, "train", tmp_path / "fbank", fbank, speeds=[1.0, 0.9],
        max_duration=2.0, device=torch.device("cpu"),
    )  # fmt: skip
    stored = load_cuts(tmp_path / "fbank", "train")
    assert len(list(stored)) == 8
    plain = CutSet.from_cuts(c for c in stored if not c.id.endswith("sp0.9"))
    batch = collate(plain, tokenizer, 16000, stored_features=True)
    audio = collate(cuts, tokenizer, 16000, stored_features=False)
    feats, lens = fbank(audio.signal, audio.signal_lens)
    assert batch.has_features
    order = [batch.ids.index(i) for i in audio.ids]
    assert batch.signal_lens[order].tolist() == lens.tolist()
    torch.testing.assert_close(batch.signal[order], feats)


def test_long_audio_is_cut_at_quiet_places():
    rate = 1000
    audio = torch.randn(100 * rate)
    quiet = [(18, 19), (37, 38), (55, 56)]
    for start, end in quiet:
        audio[start * rate : end * rate] *= 0.001
    pieces = cut_pieces(audio, rate, max_seconds=20.0)
    assert pieces[0][0] == 0
    assert pieces[-1][1] == len(audio)
    for (_, end), (start, _) in itertools.pairwise(pieces):
        assert end == start
    assert all(0 < end - start <= 20 * rate for start, end in pieces)
    for (_, end), (low, high) in zip(pieces, quiet, strict=False):
        assert low * rate <= end <= high * rate


def test_files_that_are_no_audio_are_named(tmp_path):
    path = tmp_path / "text.wav"
    path.write_text("no audio")
    with pytest.raises(InputError, match=r"text.wav cannot be read as audio"):
        read_audio(path, 16000)


def test_audio_is_mixed_down_and_resampled(tmp_path):
    time = np.arange(44100) / 44100
    tone = 0.5 * np.sin(2 * np.pi * 440 * time)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, 0 * tone], axis=1), 44100)
    audio = read_audio(tmp_path / "a.wav", 16000)
    expected = 0.25 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    assert len(audio) == 16000
    np.testing.assert_allclose(audio[200:-200], expected[200:-200], atol=2e-3)
