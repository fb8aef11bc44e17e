"""Writing sets of shards; a run that was broken off goes on where it was."""

import gzip
import hashlib
import io
import json
import logging
import os
import random
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import soundfile
from lhotse import CutSet, Recording
from lhotse.cut import Cut, MonoCut
from lhotse.shar import SharWriter
from lhotse.utils import fastcopy

from asrkit.data.audio.flat import flatten
from asrkit.data.audio.signal import read
from asrkit.data.progress import track
from asrkit.data.shards.shard import LIST_FILE, Field, Shard
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)

_UNFINISHED = "unfinished.json"
"""What is being written, until it is."""
_TEMPORARY = ".shard-"
_CODECS = {Field.RECORDING: "flac", Field.FEATURES: "numpy"}


def write_shards(
    cuts: CutSet, folder: Path, *, field: Field, shard_size: int, jobs: int
) -> None:
    """Write cuts and their data as a set of shards, in an order drawn once.

    Args:
        cuts: Utterances.
        folder: Where the set goes. If an earlier run was broken off there, the shards
            that it has finished are kept.
        field: What to store: audio as 16-bit FLAC, or features as float32.
        shard_size: Utterances in a shard.
        jobs: Threads.

    Raises:
        InputError: The folder holds something else, or a cut's data cannot be read.
    """
    order = sorted(cuts, key=lambda cut: cut.id)
    random.Random(0).shuffle(order)
    what = {"field": field.value, "shard_size": shard_size, "digest": _digest(order)}
    if not _begin(folder, what):
        logger.info("%s holds these shards already", folder)
        return
    parts = [order[i : i + shard_size] for i in range(0, len(order), shard_size)]
    with (
        ThreadPoolExecutor(jobs) as pool,
        track(folder.name, len(order)) as advance,
    ):
        tasks = [
            pool.submit(_write_shard, Shard(str(folder), f"{i:06d}", field), part)
            for i, part in enumerate(parts)
        ]
        try:
            for task, part in zip(tasks, parts, strict=True):
                task.result()
                advance(len(part))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    _finish(folder, what, [f"{i:06d}" for i in range(len(parts))])


def index_shards(folder: Path) -> int:
    """Add what training needs to Shar files that Lhotse wrote elsewhere.

    Returns:
        Number of shards.

    Raises:
        InputError: There are none, or their cuts and data do not fit each other.
    """
    names = sorted(path.name.split(".")[1] for path in folder.glob("cuts.*.jsonl.gz"))
    fields = [field for field in Field if list(folder.glob(f"{field.value}.*.tar"))]
    if not names or not fields:
        raise InputError(
            f"{folder} holds no cuts.N.jsonl.gz with recording.N.tar or features.N.tar"
        )
    for name in names:
        _write_index(Shard(str(folder), name, fields[0]))
    _finish(folder, {"field": fields[0].value}, names)
    return len(names)


def _digest(cuts: Sequence[Cut]) -> str:
    digest = hashlib.sha256()
    for cut in cuts:
        digest.update(f"{cut.id}\t{cut.duration}\n".encode())
    return digest.hexdigest()


def _begin(folder: Path, what: dict[str, Any]) -> bool:
    """Prepare the folder; say whether there is something to write."""
    for file in (folder / LIST_FILE, folder / _UNFINISHED):
        if not file.is_file():
            continue
        found = json.loads(file.read_text(encoding="utf-8"))
        if {key: found.get(key) for key in what} != what:
            raise InputError(
                f"{folder} holds other shards (see {file}); delete it or choose "
                "another folder"
            )
        if file.name == LIST_FILE:
            return False
    with atomic_write(folder / _UNFINISHED, "w") as out:
        json.dump(what, out)
    for left in folder.glob(f"{_TEMPORARY}*"):  # of a run that was broken off
        shutil.rmtree(left)
    return True


def _write_shard(shard: Shard, cuts: Sequence[Cut]) -> None:
    """Write one shard, its index last, unless it is there."""
    folder = Path(shard.folder)
    if Path(shard.index_file).is_file():
        return
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=folder) as temporary:
        with SharWriter(
            temporary,
            fields={shard.field.value: _CODECS[shard.field]},
            shard_size=None,
            shard_suffix=f".{shard.name}",
        ) as writer:
            for cut in cuts:
                _write_cut(writer, cut, shard.field)
        for path in Path(temporary).iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.replace(folder / path.name)
    _write_index(shard)


def _write_cut(writer: SharWriter, cut: Cut, field: Field) -> None:
    try:
        if field is Field.RECORDING:
            writer.write(_heard(cut).drop_features())
        else:
            writer.write(cut.drop_recording())
    except Exception as error:  # lhotse raises what its many readers raise
        raise InputError(
            f"{cut.id}: its {field.value} cannot be read ({error}); run stage 1 again, "
            "which lists and leaves out what cannot be read"
        ) from error


def _heard(cut: Cut) -> MonoCut:
    """Return what is heard of a cut: of several channels or tracks, one in memory."""
    if isinstance(cut, MonoCut):
        return cut
    samples, rate = read(cut, cut.sampling_rate), cut.sampling_rate
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format="FLAC", subtype="PCM_16")
    recording = Recording.from_bytes(stream.getvalue(), recording_id=cut.id)
    return fastcopy(flatten(cut), recording=recording, duration=recording.duration)


def _write_index(shard: Shard) -> None:
    """Say where each utterance's data lie.

    Raises:
        InputError: Cuts and data are not of the same utterances.
    """
    with gzip.open(shard.cuts_file, "rb") as lines:
        cuts = [json.loads(line) for line in lines]
    with tarfile.open(shard.data_file) as tar:
        # In turn the data of an utterance, and what they are.
        members = list(tar)[::2]
    stems = [member.name.rsplit(".", 1)[0] for member in members]
    if stems != [cut["id"] for cut in cuts]:
        raise InputError(
            f"{shard.cuts_file} and {shard.data_file} do not hold the same utterances"
        )
    with atomic_write(Path(shard.index_file), "w") as file:
        for cut, member in zip(cuts, members, strict=True):
            row = [cut["id"], cut["duration"], member.offset_data, member.size]
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _finish(folder: Path, what: dict[str, Any], names: Sequence[str]) -> None:
    """Write the list of shards, which makes the set a finished one."""
    rows = []
    for name in names:
        index = Shard(str(folder), name, Field(what["field"])).read_index()
        seconds = round(sum(row.seconds for row in index), 3)
        rows.append({"name": name, "utterances": len(index), "seconds": seconds})
    with atomic_write(folder / LIST_FILE, "w") as file:
        json.dump({**what, "shards": rows}, file, indent=1)
    (folder / _UNFINISHED).unlink(missing_ok=True)
