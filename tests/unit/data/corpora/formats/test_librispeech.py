"""Folders in LibriSpeech layout."""

import numpy as np
import pytest
import soundfile
from lhotse import CutSet, SupervisionSet
from lhotse.recipes import prepare_librispeech

from asrkit.utils.errors import InputError
from tests.unit.data.corpora.formats.reading import read_part


@pytest.fixture
def corpus(tmp_path):
    for part in ("train-a", "dev", "test"):
        for speaker in ("7", "8"):
            chapter = tmp_path / part / speaker / "1"
            chapter.mkdir(parents=True)
            ids = [f"{speaker}-1-{i:04d}" for i in range(2)]
            for length, id in enumerate(ids, start=1):
                samples = np.full(1600 * length, 0.1)
                soundfile.write(chapter / f"{id}.flac", samples, 16000)
            lines = "".join(f"{id} WORDS OF {id}\n" for id in ids)
            (chapter / f"{speaker}-1.trans.txt").write_text(lines)
    return tmp_path


def test_same_as_lhotse(corpus):
    """Lhotse's own recipe finds the same recordings, texts and speakers."""
    reference = prepare_librispeech(corpus, dataset_parts=["dev"])["dev"]
    cuts, left_out = read_part(corpus, "dev")
    assert left_out == []

    def facts(cuts):
        return sorted(
            (s.id, s.text, s.speaker, cut.duration, cut.recording.sources[0].source)
            for cut in cuts
            for s in cut.supervisions
        )

    expected = CutSet.from_manifests(**reference)
    assert len(expected) == 4
    assert facts(cuts) == facts(expected)


def test_unpaired_files_are_left_out(corpus):
    chapter = corpus / "dev" / "7" / "1"
    (chapter / "7-1-0000.flac").unlink()
    soundfile.write(chapter / "7-1-0009.wav", np.full(100, 0.1), 16000)
    cuts, left_out = read_part(corpus, "dev")
    assert [cut.id for cut in cuts] == ["7-1-0001", "8-1-0000", "8-1-0001"]
    assert [row.id for row in left_out] == ["7-1-0000", "7-1-0009"]
    assert "no recording" in left_out[0].reason
    assert "no line" in left_out[1].reason


def test_word_times_of_a_chapter(corpus, caplog):
    """Lhotse reads the same from the file."""
    chapter = corpus / "dev" / "7" / "1"
    times = "7-1-0001 1 0.010 0.020 WORDS\n7-1-0001 1 0.030 0.025 OF 0.9\n"
    last = "7-1-0001 1 0.055 0.100 7-1-0001\n"
    ctm = chapter / "7-1.words.ctm"
    ctm.write_text(f";; made by hand\n{times}{last}")
    cuts, left_out = read_part(corpus, "dev")
    assert left_out == []
    found = {cut.id: cut.supervisions[0].alignment for cut in cuts}
    assert [id for id, alignment in found.items() if alignment] == ["7-1-0001"]
    items = found["7-1-0001"]["word"]
    assert [(w.symbol, w.start, w.end) for w in items] == [
        ("WORDS", 0.01, 0.03), ("OF", 0.03, 0.055), ("7-1-0001", 0.055, 0.155),
    ]  # fmt: skip
    ctm.write_text(times + last)
    supervisions = SupervisionSet.from_segments(c.supervisions[0] for c in cuts)
    reference = supervisions.with_alignment_from_ctm(ctm)["7-1-0001"].alignment["word"]
    assert [item[:3] for item in items] == [item[:3] for item in reference]
    with ctm.open("a") as file:
        file.write("7-1-0005 1 0.0 0.1 GONE\n")
    read_part(corpus, "dev")
    assert "7-1.words.ctm: left aside" in caplog.text
    assert "7-1-0005" in caplog.text


def test_word_times_of_other_words(corpus):
    ctm = corpus / "dev" / "7" / "1" / "7-1.words.ctm"
    ctm.write_text("7-1-0001 1 0.01 0.02 WORD\n")
    with pytest.raises(InputError, match=r"7-1\.words\.ctm: the words of 7-1-0001 "):
        read_part(corpus, "dev")


def test_line_without_text_is_a_cut(corpus):
    """Empty text is for the data report to judge."""
    (corpus / "dev" / "7" / "1" / "7-1.trans.txt").write_text("7-1-0000\n7-1-0001 B\n")
    cuts, _ = read_part(corpus, "dev")
    assert [cut.supervisions[0].text for cut in cuts][:2] == ["", "B"]


def test_transcript_that_is_not_utf8(corpus):
    transcript = corpus / "dev" / "7" / "1" / "7-1.trans.txt"
    transcript.write_bytes(b"7-1-0000 CAF\xc9\n")
    with pytest.raises(InputError, match="not UTF-8") as error:
        read_part(corpus, "dev")
    assert str(transcript) in str(error.value)
