"""One rule for several channels and tracks, wherever audio is read."""

import numpy as np
import pytest
import soundfile
import torch
from lhotse import CutSet, MonoCut, Recording
from lhotse.cut import MixedCut, MultiCut

from asrkit.data.audio.files import read_audio
from asrkit.data.audio.signal import read, read_signal
from asrkit.data.batches.stored_features import store_features
from asrkit.data.corpora.manifests import load_cuts, write_manifests
from asrkit.data.corpora.scan import Utterance, scan
from asrkit.data.features.fbank import FeaturesConfig
from asrkit.data.features.wave_augment import WaveAugmentConfig
from asrkit.data.shards.shard import Field, open_shards
from asrkit.data.shards.writer import write_shards
from asrkit.utils.errors import InputError

RATE = 16000
COUNT = 2 * RATE


@pytest.fixture
def stereo(tmp_path):
    samples = 0.2 * np.random.default_rng(0).standard_normal((COUNT, 2))
    samples = np.round(samples * 2**14) / 2**15
    soundfile.write(tmp_path / "stereo.wav", samples, RATE, subtype="PCM_16")
    return samples.astype(np.float32)


@pytest.fixture
def cuts(stereo, tmp_path):
    """Write a manifest: no channel named, each named, and one with noise."""
    path = tmp_path / "stereo.wav"
    rows = [
        Utterance(id=id, path=path, text="A", channel=channel, start=start)
        for id, channel, start in (("all", None, 0), ("left", 0, 0.5), ("right", 1, 1))
    ]
    found, _ = scan(rows, name="x")
    noise = Recording.from_file(path, recording_id="noise").to_cut().to_mono()[1]
    everything = [*found, found[0].mix(noise, snr=10).with_id("mixed")]
    write_manifests({"train": CutSet.from_cuts(everything)}, {}, tmp_path / "m", "x")
    return {cut.id: cut for cut in load_cuts(tmp_path / "m", "train")}


def test_kinds(cuts):
    kinds = {id: type(cut) for id, cut in cuts.items()}
    plain = {"all": MultiCut, "left": MonoCut, "right": MonoCut}
    assert kinds == {**plain, "mixed": MixedCut}


def test_training_and_decoding_read_the_same(cuts, stereo, tmp_path):
    np.testing.assert_array_equal(read(cuts["all"], RATE), stereo.mean(axis=1))
    np.testing.assert_array_equal(read(cuts["left"], RATE), stereo[RATE // 2 :, 0])
    np.testing.assert_array_equal(read(cuts["right"], RATE), stereo[RATE:, 1])
    transcribed = read_audio(tmp_path / "stereo.wav", RATE)
    np.testing.assert_array_equal(transcribed.numpy(), read(cuts["all"], RATE))
    right = read_audio(tmp_path / "stereo.wav", RATE, channel=1)
    np.testing.assert_array_equal(right[RATE:].numpy(), read(cuts["right"], RATE))
    noise = read(cuts["mixed"], RATE) - read(cuts["all"], RATE)
    # Noise of one channel is laid over all.
    np.testing.assert_allclose(
        noise,
        noise @ stereo[:, 1] / (stereo[:, 1] @ stereo[:, 1]) * stereo[:, 1],
        atol=1e-5,
    )


def test_other_rates(cuts, tmp_path):
    slow = read(cuts["all"], 8000)
    np.testing.assert_allclose(
        read_audio(tmp_path / "stereo.wav", 8000).numpy(), slow, atol=1e-6
    )


def test_shards_hold_what_is_heard(cuts, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    stored = CutSet.from_cuts(cuts.values())
    write_shards(stored, folder, field=Field.RECORDING, shard_size=3, jobs=1)
    found = {cut.id: cut for cut in open_shards(str(folder))}
    assert found.keys() == cuts.keys()
    for id, cut in cuts.items():
        step = 0 if isinstance(cut, MonoCut) else 2**-16
        np.testing.assert_allclose(read(found[id], RATE), read(cut, RATE), atol=step)
        assert found[id].supervisions[0].text == "A"


def test_stored_features_are_of_what_is_heard(cuts, tmp_path):
    features = FeaturesConfig().build()
    options = {"speeds": [1.0, 1.1], "max_duration": 10.0}
    device = torch.device("cpu")
    store_features(
        tmp_path / "m", "train", tmp_path / "f", features, device=device, **options
    )
    found = {cut.id: cut for cut in load_cuts(tmp_path / "f", "train")}
    assert len(found) == 2 * len(cuts)
    for id, cut in cuts.items():
        samples = torch.from_numpy(read(cut, RATE))[None]
        expected, _ = features(samples, torch.tensor([samples.shape[1]]))
        stored = read_signal(found[id], RATE, stored_features=True)
        torch.testing.assert_close(stored, expected[0])


def test_augmentation_takes_them(cuts, tmp_path):
    folder = tmp_path / "noise"
    folder.mkdir()
    soundfile.write(folder / "n.wav", 0.1 * np.ones(RATE), RATE)
    augment = WaveAugmentConfig(
        speeds=[1.1], noise_dir=str(folder), noise_probability=1.0
    ).build()
    for cut in augment(CutSet.from_cuts(cuts.values()), 0):
        samples = read(cut, RATE)
        assert samples.ndim == 1
        assert len(samples) == pytest.approx(cut.duration * RATE, abs=1)


def test_files_of_several_channels_are_told(stereo, tmp_path, caplog):
    path = tmp_path / "half.wav"
    soundfile.write(path, stereo * [1, 0], RATE)
    assert read_audio(path, RATE, channel=1).abs().max() == 0
    assert caplog.text == ""
    read_audio(path, RATE)
    assert caplog.messages == [f"{path}: the mean of 2 channels; silent: 1"]
    with pytest.raises(InputError, match="has no channel 2; its channels are 0 to 1"):
        read_audio(path, RATE, channel=2)
