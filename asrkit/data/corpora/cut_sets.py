"""Lhotse's cuts of any kind, made into utterances to train on.

MonoCuts, MultiCuts and MixedCuts; lazily resampled or perturbed; with no, one or
several supervisions; of files, commands, URLs, or audio in memory.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lhotse import CutSet
from lhotse.cut import Cut

from asrkit.data.audio.unreadable import source_of
from asrkit.data.corpora.channels import warn_of_channels
from asrkit.data.corpora.listener import Listener
from asrkit.data.corpora.supervised import Trimmed, trim, utterances_of
from asrkit.data.left_out import LeftOut, UnusableError
from asrkit.data.progress import track
from asrkit.utils.errors import some

logger = logging.getLogger(__name__)


def prepare_cuts(
    cuts: Iterable[Cut],
    *,
    name: str,
    jobs: int | None = None,
    converted: Path | None = None,
    run_commands: bool = False,
) -> tuple[CutSet, list[LeftOut]]:
    """Read the audio of cuts once, and make utterances of what is good of them.

    Each has one supervision, which begins and ends with it, and what its samples look
    like in `custom`, as after `scan`. A cut with several supervisions becomes one
    utterance for each, of the supervision's id. Left out is what has no supervision or
    no text, text that reaches beyond the audio or begins before it, and audio that
    cannot be read. The files count, not what the manifest says of their rate,
    channels and length. What was done is logged.

    Args:
        cuts: Any; gone over once.
        name: What the progress line and messages begin with.
        jobs: Threads; None for one a CPU.
        converted: Folder for audio that training cannot read where it is: in memory,
            printed by a command, or in a file that only ffmpeg decodes. It becomes a
            FLAC file there, once. None: such cuts are left out.
        run_commands: Run the commands that a manifest names as its recordings.

    Returns:
        The utterances in the order of their ids, and what was left out, in that order
        too.
    """
    trimmed = Trimmed()
    ready: dict[str, Cut] = {}
    left_out: list[LeftOut] = []
    for one in _utterances(cuts, ready, trimmed):
        if isinstance(one, LeftOut):
            left_out.append(one)
        elif ready.setdefault(one.id, one) is not one:
            reason = f"another utterance has this id: {source_of(ready[one.id])}"
            left_out.append(LeftOut(one.id, source_of(one), reason))
    listener = Listener(converted, run_commands)
    good: list[Cut] = []
    with track(name, len(ready)) as advance:
        for found in listener.listen_all(ready, jobs):
            (left_out if isinstance(found, LeftOut) else good).append(found)
            advance(1)
    good.sort(key=lambda cut: cut.id)
    _tell(name, trimmed, listener.mended)
    warn_of_channels(name, good)
    return CutSet.from_cuts(good), sorted(left_out, key=lambda row: (row.id, row.path))


def _utterances(
    cuts: Iterable[Cut], taken: dict[str, Cut], trimmed: Trimmed
) -> Iterator[Cut | LeftOut]:
    """Return the utterances of cuts, each cut to its supervision.

    Args:
        cuts: Any.
        taken: By id: those that were returned before. Supervisions of several cuts may
            have one id, which the cut's is put before then.
        trimmed: Takes down what is done.
    """
    for cut in cuts:
        for one in utterances_of(cut, trimmed):
            if isinstance(one, LeftOut):
                yield one
                continue
            (segment,) = one.supervisions
            if one.id in taken and len(cut.supervisions) > 1:
                one = one.with_id(f"{cut.id}-{one.id}")
            try:
                if segment.text is None:
                    raise UnusableError("its supervision has no text")
                yield trim(one.drop_supervisions(), segment, trimmed)
            except UnusableError as error:
                yield LeftOut(one.id, source_of(cut), str(error))


def _tell(name: str, trimmed: Trimmed, mended: Sequence[str]) -> None:
    told = trimmed.describe()
    if mended:
        told.append(
            f"{len(mended)} recordings are of another rate, length or number of "
            f"channels than their manifest says; the files count ({some(mended)})"
        )
    for said in told:
        logger.warning("%s: %s", name, said)
