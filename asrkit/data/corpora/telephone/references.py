"""What is made of Switchboard and Hub5'00 beside the parts: files to score by, text."""

import gzip
from pathlib import Path

from asrkit.data.corpora.manifests import GLM, STM
from asrkit.data.corpora.telephone.fisher import read_fisher
from asrkit.data.corpora.telephone.hub5 import clean_stm
from asrkit.data.corpora.telephone.switchboard import find_files
from asrkit.data.left_out import LeftOut, write_left_out
from asrkit.utils.files import atomic_write
from asrkit.utils.text_file import read_text

_FISHER = "fisher.txt.gz"


def write_references(folder: Path, manifests: Path) -> list[str]:
    """Write what there is of ref.stm, ref.glm and fisher.txt.gz.

    Returns:
        A line about each file.

    Raises:
        InputError: A file cannot be read, or holds something else.
    """
    files, said = find_files(folder), []
    for source, name in ((files.stm, STM), (files.glm, GLM)):
        if source is not None:
            text = read_text(source)
            with atomic_write(manifests / name, "w") as file:
                file.write(clean_stm(text) if name == STM else text)
            said.append(f"{name}: of {source}")
    if files.fisher:
        said.append(_write_fisher(files.fisher, manifests))
    return said


def _write_fisher(paths: list[Path], manifests: Path) -> str:
    left_out: list[LeftOut] = []
    turns = 0
    with (
        atomic_write(manifests / _FISHER) as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
    ):
        for turn in read_fisher(paths):
            if isinstance(turn, LeftOut):
                left_out.append(turn)
            else:
                turns += 1
                packed.write(f"{turn}\n".encode())
    listed = manifests / "left_out_fisher.tsv"
    write_left_out(listed, left_out)
    where = f", listed in {listed}" if left_out else ""
    return (
        f"{_FISHER}: {turns} turns of {len(paths)} conversations; "
        f"{len(left_out)} left out{where}"
    )
