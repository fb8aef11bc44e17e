"""Reads what sclite reads, trn against trn and ctm against stm, and other sets."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from asrkit.decoding.scoring.reading.formats import ScoringFormat, tell_format
from asrkit.decoding.scoring.reading.lines import trn_parts
from asrkit.decoding.scoring.reading.readers import named, read_rows
from asrkit.decoding.scoring.reading.timed import read_ctm
from asrkit.decoding.scoring.sclite.glm import read_glm
from asrkit.decoding.scoring.sclite.marked import Marked, MarkedSet
from asrkit.decoding.scoring.sclite.prepare import Preparation
from asrkit.decoding.scoring.sclite.segments import pair_segments
from asrkit.text.stm import read_stm
from asrkit.utils.errors import InputError
from asrkit.utils.text_file import read_lines, read_text

logger = logging.getLogger(__name__)

_TIMED = (ScoringFormat.STM, ScoringFormat.CTM)


@dataclass(frozen=True)
class Rewriting:
    """What happens to both sides before they are compared."""

    keep_case: bool = False
    """sclite's -s."""
    glm: Path | None = None
    """A global mapping file."""
    split_hyphens: bool = False
    """csrfilt.sh's -dh."""

    def of(self, format: ScoringFormat, side: str) -> Preparation:
        """Return what is done to the texts of a side, "ref" or "hyp"."""
        if self.glm is None:
            return Preparation(self.keep_case)
        applies_to = [format.value if format in _TIMED else "trn", side]
        glm = read_glm(
            self.glm, applies_to,
            keep_case=self.keep_case, split_hyphens=self.split_hyphens,
        )  # fmt: skip
        return Preparation(self.keep_case, glm)


@dataclass(frozen=True)
class _Line:
    """A transcript, and where it is."""

    text: str
    where: str
    speaker: str | None


def read_marked(
    path: Path,
    reference: Path | None,
    rewriting: Rewriting,
    *,
    format: ScoringFormat | None = None,
    missing_as_empty: bool = False,
) -> MarkedSet:
    """Read the hypotheses of a set with their references, both with sclite's marks.

    Args:
        path: Hypotheses; recogs and JSONL files may hold the references, too.
        reference: File of the references, if they are elsewhere.
        rewriting: What happens to the texts.
        format: Of `path`; by default its name and first lines tell.
        missing_as_empty: Whether an utterance without a hypothesis counts as one with
            an empty hypothesis, not as none at all.

    Raises:
        InputError: A file is missing, empty or malformed, an id is there twice, the
            reference lacks utterances, or the formats do not go together.
    """
    hyp_format = format or _format(path)
    ref_format = hyp_format if reference is None else _format(reference)
    ref, hyp = rewriting.of(ref_format, "ref"), rewriting.of(hyp_format, "hyp")
    if (ref_format, hyp_format) == _TIMED and reference is not None:
        stm = read_stm(reference, read_text(reference))
        return pair_segments(stm, read_ctm(path, read_text(path)), ref, hyp)
    if ref_format in _TIMED or hyp_format in _TIMED:
        raise InputError(
            f"--sclite scores a ctm against an stm, not {path} ({hyp_format.value}) "
            f"against {reference or 'itself'} ({ref_format.value})"
        )
    names = str(reference or path), str(path)
    refs = _read(reference or path, ref_format, ref, "ref")
    hyps = _read(path, hyp_format, hyp, "hyp")
    return MarkedSet(list(_pair(refs, hyps, ref, hyp, names, missing_as_empty)), {}, [])


def _format(path: Path) -> ScoringFormat:
    return ScoringFormat.JSON if path.is_dir() else tell_format(path, read_text(path))


def _read(
    path: Path, format: ScoringFormat, preparation: Preparation, side: str
) -> dict[str, _Line]:
    """Return one side's transcripts by id."""
    found: dict[str, _Line] = {}
    for id_, line in (
        _trn(path) if format is ScoringFormat.TRN else _other(path, format, side)
    ):
        name = preparation.name(id_)
        if name in found:
            raise InputError(
                f"{line.where}: utterance {id_} is there twice; remove one of the lines"
            )
        found[name] = line
    return found


def _trn(path: Path) -> Iterator[tuple[str, _Line]]:
    """Return ids and lines of a trn file; a speaker's name begins the id."""
    for number, line in read_lines(path):
        where = f"{path}:{number}"
        parts = trn_parts(line, where)
        if parts is not None:
            id_, text = parts
            speaker, mark, _ = id_.partition("-" if "-" in id_ else "_")
            yield id_, _Line(text, where, speaker if mark else None)


def _other(path: Path, format: ScoringFormat, side: str) -> Iterator[tuple[str, _Line]]:
    for where, row in read_rows(path, format):
        words = getattr(row, side)
        words = row.text if words is None else words
        if words is not None:
            yield row.id, _Line(" ".join(words), where, row.speaker)


def _pair(
    refs: dict[str, _Line], hyps: dict[str, _Line], ref: Preparation, hyp: Preparation,
    names: tuple[str, str], missing_as_empty: bool,
) -> Iterator[Marked]:  # fmt: skip
    """Return the utterances that both sides have, as sclite scores them."""
    extra = [id_ for id_ in hyps if id_ not in refs]
    if extra:
        raise InputError(
            f"{names[0]} lacks {named(extra, hyps)}; each needs its reference"
        )
    lost = [id_ for id_ in refs if id_ not in hyps]
    if lost:
        what = (
            "they count as empty" if missing_as_empty
            else "they go unscored; --missing-as-empty counts them as deleted"
        )  # fmt: skip
        logger.warning("%s lacks %s: %s", names[1], named(lost, refs), what)
    for id_, line in refs.items():
        found = hyps.get(id_)
        if found is None and not missing_as_empty:
            continue
        speaker = line.speaker or (None if found is None else found.speaker)
        yield Marked(
            id=id_,
            ref=ref.text(line.text, line.where),
            hyp=[] if found is None else hyp.text(found.text, found.where),
            speaker=None if speaker is None else ref.name(speaker),
        )
