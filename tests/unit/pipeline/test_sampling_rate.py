"""The rate of the features, decided by the data."""

import pytest
from lhotse import CutSet

from asrkit.data.corpora.manifests import write_manifests
from asrkit.data.features.fbank import FeaturesConfig
from asrkit.pipeline.stages.sampling_rate import decide_sampling_rate
from asrkit.utils.errors import InputError
from tests.unit.data.report.reports import make_cut
from tests.unit.pipeline.compose import make


def write(folder, **rates):
    """Write a part for each name, of cuts of these rates."""
    for part, some in rates.items():
        cuts = [make_cut(f"{part}-{i}", rate=rate) for i, rate in enumerate(some)]
        write_manifests({part: CutSet.from_cuts(cuts)}, {}, folder, "x")
    return f"data.manifests={folder}", f"data.train=[{','.join(rates)}]"


@pytest.mark.parametrize(
    ("rates", "decided"),
    [
        ({"one": [8000, 8000, 16000]}, 8000),
        ({"one": [8000, 16000]}, 16000),
        ({"one": [8000], "two": [48000, 44100]}, 16000),
        ({"one": [11025, 11025]}, 16000),
    ],
)
def test_telephone_speech_decides(tmp_path, rates, decided):
    config = make(*write(tmp_path, **rates), "features.sampling_rate=auto")
    found = decide_sampling_rate(config)
    assert found.features == FeaturesConfig(sampling_rate=decided)
    assert found.data == config.data


def test_a_number_stays(tmp_path):
    config = make(*write(tmp_path, one=[8000]), "features.sampling_rate=12000")
    assert decide_sampling_rate(config) is config


def test_only_numbers_and_auto():
    with pytest.raises(ValueError, match=r"must be a whole number of Hz or auto"):
        FeaturesConfig(sampling_rate="high")
    with pytest.raises(InputError, match="give a number"):
        FeaturesConfig(sampling_rate="auto").build()
