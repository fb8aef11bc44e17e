"""Cuts and reports on them."""

import math

from lhotse import MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource

from asrkit.data.report.report import make_report
from asrkit.text.char import CharTokenizerConfig

# Pieces: A to H and the space; "ABCD" is 4 tokens.
TOKENIZER = CharTokenizerConfig().train(["A B C D E F G H"])


def make_cut(
    utterance_id,
    text="ABCD",
    duration=2.0,
    speaker="ann",
    rate=16000,
    supervisions=1,
    **custom,
):
    recording = Recording(
        id=utterance_id,
        sources=[AudioSource("file", [0], f"/corpus/{utterance_id}.flac")],
        sampling_rate=rate,
        num_samples=round(duration * rate),
        duration=duration,
    )
    supervision = SupervisionSegment(
        id=utterance_id,
        recording_id=utterance_id,
        start=0.0,
        duration=duration,
        text=text,
        speaker=speaker,
    )
    return MonoCut(
        id=utterance_id,
        start=0.0,
        duration=duration,
        channel=0,
        supervisions=[supervision] * supervisions,
        recording=recording,
        custom=custom or None,
    )


class OnePass:
    """Cuts that can be gone over only once."""

    def __init__(self, cuts):
        self.cuts = list(cuts)

    def __iter__(self):
        cuts, self.cuts = self.cuts, None
        return iter(cuts)


def report_on(options=None, tokenizer=TOKENIZER, **cuts_by_part):
    parts = {
        part.replace("_", "-"): OnePass(cuts) for part, cuts in cuts_by_part.items()
    }
    return make_report(
        parts,
        {part: part.split("-")[0] for part in parts},
        tokenizer,
        frames_of=lambda seconds: math.ceil(seconds * 2),
        subsampling=4,
        **(options or {}),
    )


def clean(part, count=3, **options):
    """Make cuts without problems: own speaker, own sentences."""
    texts = {"train": "AB", "dev": "CD", "test": "EF"}[part]
    return [
        make_cut(f"{part}-{i}", texts * (i + 1), 8.0, f"{part}-speaker", **options)
        for i in range(count)
    ]


def bad_cuts():
    return [
        make_cut("empty", ""),
        make_cut("blank", " \t"),
        make_cut("textless", None),
        make_cut("silent", peak=9e-4, clipped=0.0),
        make_cut("quiet", peak=1.1e-3, clipped=0.0),
        make_cut("short", duration=0.9),
        make_cut("shortest", duration=1.0),
        make_cut("longest", duration=20.0),
        make_cut("long", duration=20.1),
        make_cut("foreign", "AÉ ÜÉ"),
        make_cut("dense", "AB" * 21, duration=2.0),
        make_cut("dense-enough", "AB" * 20, duration=2.0),
        make_cut("clipped", peak=1.0, clipped=0.0011),
        make_cut("loud", peak=1.0, clipped=0.0009),
        make_cut("good"),
    ]


LIMITS = {
    "min_duration": 1.0,
    "max_duration_of_utterance": 20.0,
    "max_tokens_per_second": 20.0,
}
