"""Common Voice's TSV files; columns as in release 17 (its README)."""

import pytest
from lhotse.recipes.commonvoice import _parse_utterance

from tests.unit.data.corpora.formats.reading import facts, read, reasons, tone

HEADER = ["client_id", "path", "sentence", "up_votes", "down_votes", "age", "gender"]
HEADER += ["accents", "variant", "locale", "segment"]


def row(**values):
    return "\t".join(values.get(name, "") for name in HEADER)


@pytest.fixture
def corpus(tmp_path):
    for name in ("cv_1", "cv_2"):
        tone(tmp_path / "clips" / f"{name}.mp3", 1.0, rate=48000)
    rows = [
        row(client_id="ann", path="cv_1.mp3", sentence='"Hello, you', gender="f"),
        row(client_id="bob", path="cv_2", sentence="Two.", up_votes="2"),
        row(client_id="bob", path="cv_3.mp3", sentence="Gone."),
    ]
    lines = ["\t".join(HEADER), *rows]
    (tmp_path / "train.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_clips(corpus):
    cuts, left_out = read(corpus / "train.tsv")
    found = [(id, text, speaker) for id, _, _, text, speaker in facts(cuts)]
    assert found == [("cv_1", '"Hello, you', "ann"), ("cv_2", "Two.", "bob")]
    assert all(cut.duration == pytest.approx(1.0, abs=0.1) for cut in cuts)
    assert reasons(left_out) == {"cv_3": "no such file"}


def test_same_as_lhotse(corpus):
    """Lhotse 1.33 takes the same id, speaker and text of a row."""
    values = dict.fromkeys(HEADER, "")
    values |= {"client_id": "ann", "path": "cv_1.mp3", "sentence": '"Hello, you'}
    recording, supervision = _parse_utterance(corpus, "en", values)
    cut = read(corpus / "train.tsv")[0]["cv_1"]
    ours = cut.supervisions[0]
    assert (ours.id, ours.text, ours.speaker) == (
        supervision.id,
        supervision.text,
        supervision.speaker,
    )
    assert cut.recording.num_samples == recording.num_samples
