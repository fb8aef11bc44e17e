"""Scores by an stm beside the manifests, from what was decoded."""

import random
import re

import pytest
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource

from asrkit.cli.recipe.stm import score_by_stm
from asrkit.data.corpora.manifests import write_manifests
from asrkit.data.corpora.telephone.hub5 import clean_stm
from asrkit.data.corpora.telephone.text import REFERENCE, normalize
from asrkit.data.synthesis.telephone.calls import draw_calls
from asrkit.data.synthesis.telephone.layout import GLM, STM_HEAD, stm_line
from asrkit.data.synthesis.telephone.line import Heard
from asrkit.data.synthesis.telephone.specs import DIALOGUES
from asrkit.decoding.scoring.score import Hypothesis, score
from asrkit.decoding.scoring.wer_files import write_decode_files
from asrkit.text.stm import CHANNELS, read_stm
from tests.unit.decoding.scoring.sclite.real import Case, filtered, real_counts
from tests.unit.decoding.scoring.sclite.test_against_sclite import TIMED, needs_sclite


def cut_of(segment):
    """Return the cut of a segment of an stm."""
    source = AudioSource("file", [0, 1], f"{segment.file}.sph")
    recording = Recording(segment.file, [source], 8000, 8000000, 1000.0)
    id = f"{segment.file}-{segment.channel}-{segment.start:.2f}"
    channel = CHANNELS.index(segment.channel)
    duration = segment.end - segment.start
    said = SupervisionSegment(id, segment.file, 0.0, duration, channel)
    return MonoCut(id, segment.start, duration, channel, [said], recording=recording)


@pytest.fixture
def decoded(tmp_path):
    """Decode the dialogues' test sets, with errors by chance; return the folder."""
    calls = [call for call in draw_calls(DIALOGUES) if "_" in call.name]
    lines = [
        stm_line(call, Heard(turn, 3.0 * n, 3.0 * n + 2))
        for call in sorted(calls, key=lambda call: call.name)
        for side in (0, 1)
        for n, turn in enumerate(call.turns)
        if turn.side == side
    ]
    stm = clean_stm(STM_HEAD + "".join(f"{line}\n" for line in lines))
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "ref.stm").write_text(stm)
    (manifests / "ref.glm").write_text(GLM)
    rng = random.Random(1)
    cuts, found = {}, {}
    for segment in read_stm(manifests / "ref.stm", stm).segments:
        part = "test_swbd" if segment.file.startswith("sw") else "test_callhome"
        cut = cut_of(segment)
        cuts.setdefault(part, []).append(cut)
        ref = normalize(segment.text, REFERENCE).split()
        hyp = [spoil(word, rng) for word in ref]
        found.setdefault(part, []).append(
            Hypothesis(cut.id, ref, " ".join(hyp).split())
        )
    sets = {part: CutSet.from_cuts(those) for part, those in cuts.items()}
    write_manifests(sets, {}, manifests)
    folder = tmp_path / "exp" / "decode" / "greedy"
    for part, those in found.items():
        write_decode_files(folder, part, "greedy", those, score(those))
    return tmp_path


def spoil(word, rng):
    chance = rng.random()
    if chance < 0.1:
        return rng.choice(["", "UM", "SCHOOLS", "TEACHER", f"{word} THE"])
    return "UM" if word == "UH" and chance < 0.5 else word


# Words, insertions, deletions, substitutions: as sctk 2.4.10 counts them, by
# `csrfilt -dh` and `sclite -D -F`.
REAL = {
    "Overall": (886, 20, 14, 50),
    "Switchboard": (438, 11, 5, 26),
    "CallHome": (448, 9, 9, 24),
}


@pytest.fixture
def rows(decoded, capsys):
    """Return what is counted of each subset."""
    score_by_stm(decoded / "exp", decoded / "manifests")
    out = capsys.readouterr().out
    found = {}
    for name in REAL:
        row = re.search(
            rf"^{name} +[\d.]+ +\d+ +(\d+) +(\d+) +(\d+) +(\d+)$", out, re.M
        )
        found[name] = tuple(map(int, row.groups()))
    return found


def test_switchboard_and_callhome_apart(decoded, rows):
    assert rows == REAL
    ctm = (decoded / "exp/decode/greedy/stm.hyp.ctm").read_text().split("\n")
    assert ctm[1].split()[:4] == ["en_4156", "A", "0.000", "0.500"]


@needs_sclite
def test_as_the_real_sclite_counts(decoded, rows):
    glm = decoded / "manifests/ref.glm"
    ref = filtered((decoded / "manifests/ref.stm").read_text(), "stm", "ref", glm, [])
    ctm = (decoded / "exp/decode/greedy/stm.hyp.ctm").read_text()
    hyp = filtered(ctm, "ctm", "hyp", glm, [])
    real = real_counts(Case(["-D", "-F"], ref, hyp), TIMED)
    for name, start in (("Overall", ""), ("Switchboard", "sw_"), ("CallHome", "en_")):
        counts = [count for id, count in real.items() if id.startswith(start)]
        correct, subs, dels, ins = map(sum, zip(*counts, strict=True))
        assert rows[name] == (correct + subs + dels, ins, dels, subs)


def test_nothing_without_an_stm(tmp_path, capsys):
    score_by_stm(tmp_path, tmp_path)
    assert capsys.readouterr().out == ""
