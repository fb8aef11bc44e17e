"""Error rates by an stm, where a corpus has one, as NIST's sclite counts them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lhotse.cut import Cut
from lhotse.utils import to_list

from asrkit.cli.decoding import score
from asrkit.data.corpora.manifests import GLM, STM, list_parts, load_cuts
from asrkit.decoding.scoring.reading.readers import read_decode
from asrkit.decoding.scoring.sclite.spread import Place, spread
from asrkit.text.stm import CHANNELS, read_stm
from asrkit.utils.files import atomic_write
from asrkit.utils.text_file import read_text

_HYP = "stm.hyp.ctm"


def score_by_stm(exp_dir: Path, manifests: Path) -> None:
    """Print what the searches' errors are by MANIFESTS/ref.stm; nothing without one.

    The hypotheses of all sets whose recordings it speaks of are written to
    decode/METHOD/stm.hyp.ctm, a file that sclite takes, and scored together.

    Args:
        exp_dir: Folder of the run.
        manifests: Has the places of the utterances, and ref.glm where there are rules.

    Raises:
        InputError: A file is malformed.
    """
    stm = manifests / STM
    if not stm.is_file():
        return
    files = {segment.file for segment in read_stm(stm, read_text(stm)).segments}
    for folder in sorted(path for path in exp_dir.glob("decode/*") if path.is_dir()):
        found = list(_found(folder, manifests, files))
        if not found:
            continue
        with atomic_write(folder / _HYP, "w") as file:
            file.write(f";; asrkit, {folder.name}\n")
            file.writelines(f"{line}\n" for line in spread(found))
        glm = manifests / GLM
        rules = ["--glm", str(glm), "-dh"] if glm.is_file() else []
        sides = ["--ref", str(stm), "--hyp", str(folder / _HYP)]
        print()
        score.main(["--sclite", "-D", "-F", *rules, *sides, "--out-dir", str(folder)])


def _found(
    folder: Path, manifests: Path, files: set[str]
) -> Iterator[tuple[Place, Sequence[str]]]:
    """Yield what was decoded of these recordings, each utterance with its place."""
    for part in list_parts(manifests):
        recogs = folder / f"recogs-{part}.txt"
        if recogs.is_file():
            places = {cut.id: _place(cut) for cut in load_cuts(manifests, part)}
            for one in read_decode(recogs):
                if one.id in places and places[one.id].file in files:
                    yield places[one.id], one.hyp


def _place(cut: Cut) -> Place:
    channel = CHANNELS[to_list(cut.channel)[0]]
    return Place(cut.recording_id, channel, cut.start, cut.duration)
