"""Switchboard, Hub5'00 and Fisher from a small tree like the LDC's."""

import gzip
from functools import partial

import numpy as np
import pytest

from asrkit.data.audio.signal import read
from asrkit.data.corpora.folder import Reading
from asrkit.data.corpora.telephone import switchboard
from asrkit.data.corpora.telephone.references import write_references
from asrkit.data.corpora.telephone.switchboard import find_parts, split
from asrkit.data.corpora.telephone.text import TRAINING
from asrkit.text.stm import read_stm
from asrkit.utils.errors import InputError
from tests.unit.data.corpora.formats.reading import facts, reasons
from tests.unit.data.corpora.telephone.tree import make_tree, sphere, transcript

find = partial(find_parts, rules=TRAINING)


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "bought")


def prepare(tree, part):
    return Reading(audio_dir=tree.parent / "audio", jobs=1).prepare(
        find(tree)[part], part
    )


def test_segments_are_cut_from_their_side(tree):
    assert list(find(tree)) == ["train", "dev", "test_swbd", "test_callhome"]
    cuts, left_out = prepare(tree, "train")
    assert facts(cuts)[:3] == [
        ("sw2001A-ms98-a-0002", 1.0, 1.0, "OKAY UM-HUM", "sw2001A"),
        ("sw2001A-ms98-a-0003", 2.0, 1.0, "YES", "sw2001A"),
        ("sw2001B-ms98-a-0001", 0.0, 1.0, "HELLO", "sw2001B"),
    ]
    assert len(cuts) == 6  # of two conversations; four are dev's
    assert reasons(left_out) == {
        f"sw{number}{rest}": reason
        for number in (2001, 2002)
        for rest, reason in (
            ("A-ms98-a-0001", "no word is said"),
            ("B-ms98-a-0002", "no word is said"),
            ("B-ms98-a-0003", "the transcriber was in doubt: (("),
        )
    }
    for cut in cuts:
        samples = read(cut, 8000)
        peak = np.abs(np.fft.rfft(samples)).argmax()  # of a second: Hz
        assert peak == (500 if "A-" in cut.id else 1000)
    assert len(prepare(tree, "dev")[0]) == 12


def test_the_halves_of_hub5(tree):
    cuts, left_out = prepare(tree, "test_callhome")
    assert facts(cuts) == [
        ("en_4156-A-000010-000100", 0.1, 0.9, "OH I'D LIKE T V UH", "en_4156_A"),
        ("en_4156-B-000100-000200", 1.0, 1.0, "YES", "en_4156_B"),
    ]
    assert list(reasons(left_out)) == ["en_4156-A-000100-000150"]
    ((cut,), _) = prepare(tree, "test_swbd")
    assert (cut.supervisions[0].text, cut.channel) == ("UH-HUH", 1)


def test_references_and_text(tree, tmp_path):
    said = write_references(tree, tmp_path / "manifests")
    assert said[2].startswith("fisher.txt.gz: 1 turns of 1 conversations; 2 left out")
    stm = tmp_path / "manifests/ref.stm"
    segments = read_stm(stm, stm.read_text()).segments
    assert segments[0].text == "(oh) { i'd / i would } like t v (%hesitation)"
    assert segments[0].labels == ("o", "ch")
    assert len(segments) == 4
    assert "UH =>" in (tmp_path / "manifests/ref.glm").read_text()
    with gzip.open(tmp_path / "manifests/fisher.txt.gz", "rt") as file:
        assert file.read() == "HELLO T V\n"


def test_what_is_bought_may_be_linked(tree, tmp_path):
    links = tmp_path / "links"
    links.mkdir()
    for disc in tree.iterdir():
        (links / disc.name).symlink_to(disc)
    assert len(prepare(links, "train")[0]) == 6
    (source, *_) = find(links).values()
    assert len(source.files()) == 6 * 3 + 2 + 2 + 1


def test_sides_without_the_other_file_are_listed(tree):
    (tree / "LDC97S62/swb1_d1/data/sw02001.sph").unlink()
    next(tree.rglob("sw2002B-*")).unlink()
    cuts, left_out = prepare(tree, "train")
    assert len(cuts) == 2
    found = reasons(left_out)
    assert found["sw2001A"] == found["sw2001B"] == "no recording sw02001.sph is there"
    assert found["sw2002B"] == "no transcript sw2002B-ms98-a-trans.text"


def lose_transcripts(tree):
    for path in tree.rglob("*-trans.text"):
        path.rename(path.with_name(path.name.replace("-ms98-a-trans.text", ".txt")))


def lose_recordings(tree):
    for path in tree.rglob("sw0*.sph"):
        path.unlink()


def keep_four_conversations(tree):
    for path in [*tree.rglob("sw*200[56]*")]:
        if path.is_file():
            path.unlink()


def take_another_version(tree):
    transcript(tree, "2001", "A", "okay").write_text("@0001 0.1 1.2 okay\n")


def take_another_encoding(tree):
    path = transcript(tree, "2001", "A")
    path.write_bytes(b"sw2001A-ms98-a-0001 0.0 1.0 caf\xe9\n")


def lose_a_channel(tree):
    sphere(tree / "LDC97S62/swb1_d1/data/sw02002.sph", channels=1)


def convert_a_recording(tree):
    (tree / "LDC97S62/swb1_d1/data/sw02002.sph").write_bytes(b"RIFF" + bytes(100))


def pack_a_recording(tree):
    path = tree / "LDC97S62/swb1_d1/data/sw02001.sph"
    head = path.read_bytes()[:1024].replace(
        b"coding -s4 ulaw", b"coding -s26 ulaw,embedded-shorten-v2.00"
    )[:1024]
    path.write_bytes(head + b"ajkg\2" + bytes(100))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lose_transcripts, r"no transcript of MS-State's .*sw2001A\.txt.* are others"),
        (lose_recordings, r"no recording of Switchboard \(sw02001\.sph"),
        (keep_four_conversations, r"4 conversations; 4 of them are kept for dev"),
        (take_another_version, r"trans\.text:1: '@0001 .* is not as in MS-State's"),
        (take_another_encoding, r"sw2001A.*\.text: .*can't decode byte 0xe9"),
        (lose_a_channel, r"sw02002\.sph has 1 channels; .*as it was bought"),
        (convert_a_recording, r"sw02002\.sph has no header of SPHERE"),
        (pack_a_recording, r"sw02001\.sph .* shorten .* put sph2pipe"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tree, spoil, message, monkeypatch):
    monkeypatch.setattr(switchboard.shutil, "which", lambda _: None)
    spoil(tree)
    with pytest.raises(InputError, match=message):
        prepare(tree, "train")


def test_a_call_of_the_reference_that_is_missing(tree):
    (tree / "LDC2002S09/hub5e_00/english/en_4156.sph").unlink()
    with pytest.raises(InputError, match=r"stm:6: no recording en_4156\.sph is there"):
        prepare(tree, "test_callhome")


def read_all(tree, out):
    prepare(tree, "test_swbd")
    write_references(tree, out)


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("*.stm", "sw_4390 1 x 0 1 <O,SWB> yes\n", r"stm:1: the channel is '1', not A"),
        ("*.stm", "sw_4390 A x 0\n", r"stm:1: expected `FILE CHANNEL"),
        (
            "fe_03*.txt",
            "0.00 A: hello\n",
            r"fe_03_00001\.txt:1: .* is it another version",
        ),
    ],
)
def test_references_of_another_kind(tree, tmp_path, name, line, message):
    (path,) = tree.rglob(name)
    path.write_text(line)
    with pytest.raises(InputError, match=message):
        read_all(tree, tmp_path)


def test_a_share_of_the_conversations_is_kept_for_dev():
    numbers = [str(number) for number in range(2001, 4439)]
    parts = split(numbers[::-1])
    assert parts["dev"] == numbers[-12:]
    assert parts["train"] == numbers[:-12]
    assert len(split(numbers[:9])["dev"]) == 4
