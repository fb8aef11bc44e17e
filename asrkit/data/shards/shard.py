"""Shards: utterances and their audio in a few large files, on a disk or behind a URL.

A set is a folder in the Lhotse Shar format: cuts.N.jsonl.gz, and beside it
recording.N.tar or features.N.tar. Two kinds of file are added: index.N.jsonl, which
says for each utterance where in the tar its data lie, and shards.json, which is written
last and names the shards. So what one process needs can be read without the rest.
"""

import gzip
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np
from lhotse import CutSet
from lhotse.audio import AudioSource
from lhotse.cut import MonoCut
from lhotse.features.io import FeaturesReader, register_reader
from lhotse.serialization import deserialize_item
from lhotse.utils import to_list

from asrkit.data.shards.storage import join, read_file, read_range
from asrkit.utils.errors import InputError

LIST_FILE = "shards.json"


class Field(str, Enum):
    """What of the utterances is in the tar files; the value is their name's begin."""

    RECORDING = "recording"
    FEATURES = "features"


class TarSlice(NamedTuple):
    """Where an utterance's data lie."""

    address: str
    """The tar file."""
    start: int
    """First byte."""
    size: int
    """Bytes."""


class IndexRow(NamedTuple):
    """A line of an index."""

    id: str
    seconds: float
    start: int
    size: int


@dataclass(frozen=True)
class Shard:
    """One shard of a set: some hundred utterances."""

    folder: str
    """Path or URL of the set."""
    name: str
    """Its number in the names of its files."""
    field: Field

    @property
    def index_file(self) -> str:
        """Address of the index."""
        return join(self.folder, f"index.{self.name}.jsonl")

    @property
    def cuts_file(self) -> str:
        """Address of the cuts."""
        return join(self.folder, f"cuts.{self.name}.jsonl.gz")

    @property
    def data_file(self) -> str:
        """Address of the audio or the features."""
        return join(self.folder, f"{self.field.value}.{self.name}.tar")

    def read_index(self) -> list[IndexRow]:
        """Read the index.

        Raises:
            InputError: It cannot be read.
        """
        try:
            lines = read_file(self.index_file).splitlines()
            return [IndexRow(*json.loads(line)) for line in lines]
        except (OSError, ValueError, TypeError) as error:
            raise _damaged(self.index_file, error) from error

    def read_entries(self) -> list["Entry"]:
        """Read the cuts, not their data.

        Raises:
            InputError: Cuts or index cannot be read, or do not fit each other.
        """
        rows = self.read_index()
        try:
            lines = gzip.decompress(read_file(self.cuts_file)).splitlines()
        except (OSError, EOFError) as error:
            raise _damaged(self.cuts_file, error) from error
        if len(lines) != len(rows):
            raise InputError(
                f"{self.cuts_file} has {len(lines)} cuts, its index {len(rows)}; "
                "write the shards again"
            )
        places = [TarSlice(self.data_file, row.start, row.size) for row in rows]
        return list(map(Entry, lines, places))


def _damaged(address: str, error: Exception) -> InputError:
    return InputError(
        f"{address} cannot be read ({error}); is the set of shards complete? "
        "scripts/shard.py writes what is missing"
    )


class Entry(NamedTuple):
    """An utterance of a shard, as it goes to a worker."""

    line: bytes
    """Its cut, JSON."""
    place: TarSlice

    def cut(self) -> MonoCut:
        """Make the cut; its data are read when they are asked for."""
        cut = deserialize_item(json.loads(self.line))
        if cut.has_recording:
            cut.recording.sources = [StoredAudio.at(self.place, to_list(cut.channel))]
        else:
            cut.features.storage_type = StoredFeaturesReader.name
            cut.features.storage_path = self.place.address
            cut.features.storage_key = f"{self.place.start}+{self.place.size}"
        return cut


@dataclass(frozen=True)
class StoredCuts:
    """Cuts that are made as one goes over them, to be the content of a CutSet."""

    entries: Sequence[Entry]

    def __iter__(self) -> Iterator[MonoCut]:
        """Make the cuts."""
        return (entry.cut() for entry in self.entries)

    def __len__(self) -> int:
        """Count them."""
        return len(self.entries)


@dataclass(frozen=True)
class ShardedSet:
    """All cuts of a set, one shard after the other, to be the content of a CutSet."""

    shards: Sequence[Shard]

    def __iter__(self) -> Iterator[MonoCut]:
        """Make the cuts."""
        for shard in self.shards:
            yield from StoredCuts(shard.read_entries())


@dataclass
class StoredAudio(AudioSource):
    """Audio inside a tar file, read when it is asked for.

    Other than the sources of the manifest, this one is never a command to run.
    """

    start: int = 0
    size: int = 0

    @staticmethod
    def at(place: TarSlice, channels: list[int]) -> "StoredAudio":
        """Name the audio of some channels at a place."""
        address, start, size = place
        return StoredAudio("shar", channels, address, start=start, size=size)

    def load_audio(
        self,
        offset: float = 0.0,
        duration: float | None = None,
        force_opus_sampling_rate: int | None = None,
    ) -> np.ndarray:
        """Read and decode, (samples,) or (channels, samples), float32."""
        data = read_range(str(self.source), self.start, self.size)
        return AudioSource("memory", self.channels, data).load_audio(
            offset, duration, force_opus_sampling_rate
        )


@register_reader
class StoredFeaturesReader(FeaturesReader):
    """Reads features inside a tar file; Lhotse finds it by its name."""

    name = "asrkit_shard"

    def __init__(self, storage_path: str) -> None:
        self.address = storage_path

    def read(
        self,
        key: str,
        left_offset_frames: int = 0,
        right_offset_frames: int | None = None,
    ) -> np.ndarray:
        """Read frames of the features at `key`, START+SIZE, (T_in, F)."""
        start, size = map(int, key.split("+"))
        data = read_range(self.address, start, size)
        features = np.load(io.BytesIO(data), allow_pickle=False)
        return features[left_offset_frames:right_offset_frames]


def list_shards(folder: str) -> list[Shard]:
    """List the shards of a set.

    Raises:
        InputError: There is no finished set in the folder.
    """
    address = join(folder, LIST_FILE)
    try:
        content = json.loads(read_file(address))
        field = Field(content["field"])
        return [Shard(folder, row["name"], field) for row in content["shards"]]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"no finished set of shards in {folder}: {error}; scripts/shard.py writes "
            f"one, and {LIST_FILE} last"
        ) from error


def open_shards(folder: str) -> CutSet:
    """Open a set; its cuts are read as one goes over them.

    Raises:
        InputError: There is no finished set in the folder.
    """
    return CutSet(ShardedSet(list_shards(folder)))
