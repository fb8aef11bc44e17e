"""The data report: what a corpus holds and what is wrong with it, before training."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lhotse.cut import Cut

from asrkit.data.left_out import LeftOut
from asrkit.data.report.checks import Checks, Role
from asrkit.data.report.ids import Ids
from asrkit.data.report.parts import (
    FlaggedUtterance,
    PartReport,
    collect_part,
    summarize,
)
from asrkit.data.report.text import render_page
from asrkit.data.report.warnings import list_warnings
from asrkit.text.tokenizer import Tokenizer
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """What a corpus holds and what is wrong with it."""

    vocab_size: int
    """Pieces of the tokenizer, the special ones included."""
    parts: list[PartReport]
    left_out: list[FlaggedUtterance]
    """Utterances of train and dev parts not to be used."""
    kept: list[FlaggedUtterance]
    """Utterances with problems that are used all the same."""
    warnings: list[str]

    def left_out_ids(self, part: str) -> set[str]:
        """Return the ids of the utterances of a part not to be used."""
        return {utterance.id for utterance in self.left_out if utterance.part == part}

    def render(self) -> str:
        """Return the report as a page of plain text, 80 columns wide."""
        return render_page(self.parts, self.warnings, self.vocab_size)

    def write(self, folder: Path) -> None:
        """Write `data_report.txt`, `left_out.tsv` and `kept_with_problems.tsv`.

        The tables have the columns part, id, source and reason.
        """
        with atomic_write(folder / "data_report.txt", "w") as file:
            file.write(self.render())
        _write_table(folder / "left_out.tsv", self.left_out)
        _write_table(folder / "kept_with_problems.tsv", self.kept)


def make_report(
    cuts_by_part: Mapping[str, Iterable[Cut | LeftOut]],
    roles: Mapping[str, str],
    tokenizer: Tokenizer,
    *,
    frames_of: Callable[[float], int],
    subsampling: int,
    sampling_rate: int | None = None,
    max_symbols_per_frame: int | None = None,
    repeats_need_frame: bool = False,
    limited_by: str = "",
    min_duration: float | None = None,
    max_duration_of_utterance: float | None = None,
    max_tokens_per_second: float | None = None,
) -> DataReport:
    """Go over the cuts of each part once and report; no audio is read.

    Of train parts, utterances are left out that are silent, too short or too long,
    that have no text or text the tokenizer lacks, too many tokens a second, or tokens
    that no path through the frames can cover, or whose text is from outside of the
    audio. Dev parts keep text that the tokenizer
    lacks. Test parts keep everything. What is kept in spite of problems is listed in
    the warnings.

    Args:
        cuts_by_part: The cuts of each part; each supervision is an utterance. `peak` (1
            is full scale) and `clipped` (share of samples) in `custom` are used if
            there. `LeftOut` among them is listed.
        roles: The role of each part: train, dev or test.
        tokenizer: What the transcripts are encoded with.
        frames_of: Encoder frames of a recording of so many seconds.
        subsampling: Feature frames to an encoder frame, for messages.
        sampling_rate: Hz of the features; None: what is resampled is not told.
        max_symbols_per_frame: Labels that the topology lets a frame emit: None for
            any number (regular), 1 for monotonic and CTC.
        repeats_need_frame: Whether a repeated label needs a blank in between (CTC).
        limited_by: What allows no more labels, for messages, e.g. CTC.
        min_duration: In seconds; shorter utterances are left out.
        max_duration_of_utterance: In seconds; longer utterances are left out.
        max_tokens_per_second: Utterances with more are left out.

    Raises:
        InputError: A part is empty or has no role, a role is unknown, or an id stands
            for several utterances of train and dev, or of a test part.
    """
    checks = Checks(
        frames_of=frames_of,
        subsampling=subsampling,
        max_symbols_per_frame=max_symbols_per_frame,
        repeats_need_frame=repeats_need_frame,
        limited_by=limited_by,
        min_duration=min_duration,
        max_duration_of_utterance=max_duration_of_utterance,
        max_tokens_per_second=max_tokens_per_second,
    )
    # What train and dev are given by their ids is in one place; of each test part too.
    trained, all_facts = Ids(), []
    for part, cuts in cuts_by_part.items():
        role = _role(part, roles)
        ids = Ids() if role is Role.TEST else trained
        all_facts.append(collect_part(part, role, cuts, tokenizer, checks, ids))
        ids.check()
    parts = summarize(all_facts, tokenizer.vocab_size)
    return DataReport(
        vocab_size=tokenizer.vocab_size,
        parts=parts,
        left_out=[
            one
            for facts in all_facts
            for one in (*facts.no_utterances, *facts.left_out)
        ],
        kept=[utterance for facts in all_facts for utterance in facts.kept],
        warnings=list_warnings(all_facts, tokenizer.vocab_size, sampling_rate, checks),
    )


def _role(part: str, roles: Mapping[str, str]) -> Role:
    try:
        return Role(roles[part])
    except (KeyError, ValueError) as error:
        known = ", ".join(role.value for role in Role)
        raise InputError(
            f"part {part!r} has the role {roles.get(part)!r}; use one of {known}"
        ) from error


def _write_table(path: Path, utterances: Sequence[FlaggedUtterance]) -> None:
    rows = [("part", "id", "source", "reason")]
    rows += [(found.part, found.id, found.source, found.reason) for found in utterances]
    with atomic_write(path, "w") as file:
        for row in rows:
            # A tab or a line end in a name would break the table.
            file.write("\t".join(" ".join(cell.split()) for cell in row) + "\n")
