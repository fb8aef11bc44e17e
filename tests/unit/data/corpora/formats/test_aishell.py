"""AISHELL-1's layout."""

import pytest
from lhotse.recipes.aishell import prepare_aishell

from asrkit.data.corpora.folder import find_sources
from asrkit.utils.errors import InputError
from tests.unit.data.corpora.formats.reading import facts, read_part, reasons, tone

SPEAKERS = {"train": ("S0002", "S0003"), "dev": ("S0724",), "test": ("S0764",)}
# Full-width letters.
TEXT = "我 买 了 \uff4b\uff54 板 和 \uff41 \uff42 \uff43 卡"


@pytest.fixture
def corpus(tmp_path):
    """A data_aishell of two utterances a speaker."""
    folder = tmp_path / "data_aishell"
    (folder / "transcript").mkdir(parents=True)
    with (folder / "transcript/aishell_transcript_v0.8.txt").open("w") as file:
        for part, speakers in SPEAKERS.items():
            for speaker in speakers:
                for number in (122, 123):
                    id = f"BAC009{speaker}W{number:04d}"
                    path = folder / "wav" / part / speaker / f"{id}.wav"
                    tone(path, 0.1 * (number - 121), rate=16000)
                    file.write(f"{id} {TEXT}\n")
    return folder


def transcripts(corpus):
    return corpus / "transcript/aishell_transcript_v0.8.txt"


def test_same_as_lhotse(corpus):
    """Lhotse's own recipe finds the same recordings, texts and speakers."""
    reference = prepare_aishell(corpus.parent)
    for part, speakers in SPEAKERS.items():
        cuts, left_out = read_part(corpus / "wav", part)
        assert left_out == []
        lengths = {one.id: one.duration for one in reference[part]["recordings"]}
        expected = sorted(
            (one.id, 0.0, lengths[one.id], one.text.replace(" ", ""), one.speaker)
            for one in reference[part]["supervisions"]
        )
        assert len(expected) == 2 * len(speakers)
        assert facts(cuts) == expected
    assert cuts[0].supervisions[0].text == "我买了KT板和ABC卡"


def test_unpaired_files_are_left_out(corpus):
    """AISHELL-1 has some hundreds of recordings that nobody transcribed."""
    tone(corpus / "wav/dev/S0724/BAC009S0724W0199.wav", 0.1, rate=16000)
    (corpus / "wav/train/S0002/BAC009S0002W0122.wav").unlink()
    with transcripts(corpus).open("a") as file:
        file.write(f"BAC009S0999W0001 {TEXT}\n\nBAC009S0003W0122 又\n")
    cuts, left_out = read_part(corpus / "wav", "dev")
    assert len(cuts) == 2
    assert reasons(left_out) == {
        "BAC009S0724W0199": "no line BAC009S0724W0199 in aishell_transcript_v0.8.txt"
    }
    cuts, left_out = read_part(corpus / "wav", "train")
    assert [cut.id[-10:] for cut in cuts] == ["S0002W0123", "S0003W0122", "S0003W0123"]
    # Of a speaker whom no part has, training tells.
    assert [row.id[-10:] for row in left_out] == [
        "S0002W0122",
        "S0003W0122",
        "S0999W0001",
    ]
    assert "no recording BAC009S0999W0001.wav" in left_out[2].reason
    assert "another utterance has this id" in left_out[1].reason
    assert read_part(corpus / "wav", "test")[1] == []


@pytest.mark.parametrize("lost", ["BAC009S0003W0123.wav", "*"])
def test_archives_that_are_not_unpacked(corpus, lost):
    (corpus / "wav/S0002.tar.gz").touch()  # and its speaker's folder is complete
    (corpus / "wav/S0003.tar.gz").touch()
    speaker = corpus / "wav/train/S0003"
    for path in speaker.glob(lost):
        path.unlink()
    if lost == "*":
        speaker.rmdir()
    with pytest.raises(InputError, match=r"1 archives are not unpacked, .*\(S0003\)"):
        read_part(corpus / "wav", "train")


def test_another_version_of_the_transcripts(corpus):
    transcripts(corpus).rename(corpus / "transcript/aishell_transcript_v0.7.txt")
    with pytest.raises(InputError, match=r"holds aishell_transcript_v0\.7\.txt and no"):
        read_part(corpus / "wav", "dev")


def test_another_encoding(corpus):
    text = transcripts(corpus).read_text()
    transcripts(corpus).write_bytes(text.encode("gb18030"))
    with pytest.raises(InputError, match=r"v0\.8\.txt is not UTF-8"):
        read_part(corpus / "wav", "dev")


def test_the_list_of_transcripts_is_a_file_of_every_part(corpus):
    """When it changes the parts are read again."""
    for source in find_sources(corpus / "wav").values():
        assert transcripts(corpus) in source.files()
        assert len(source.files()) > 2
