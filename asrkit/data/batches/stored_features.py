"""Features computed once and kept on disk, for those who train many times."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
from lhotse import CutSet, Features, NumpyFilesWriter
from lhotse.cut import MonoCut

from asrkit.data.audio.flat import flatten
from asrkit.data.audio.signal import read
from asrkit.data.batches.batch import lengths, pad
from asrkit.data.batches.cuts import plan_once
from asrkit.data.corpora.manifests import (
    corpus_name,
    load_cuts,
    manifest_path,
    write_manifests,
)
from asrkit.data.features.fbank import FRAME_SHIFT, Fbank
from asrkit.data.progress import track


def store_features(
    source: Path,
    part: str,
    folder: Path,
    features: Fbank,
    *,
    speeds: list[float],
    max_duration: float,
    device: torch.device,
) -> None:
    """Compute the features of a part in batches and write a manifest that has them.

    Args:
        source: Folder of the part's manifest without features.
        part: Name of the part.
        folder: Where the manifest goes; the features go to its subfolder of the part.
        features: The extractor.
        speeds: Every utterance is stored at each of these speeds.
        max_duration: Most seconds of audio in a batch.
        device: Where they are computed.
    """
    if is_stored(source, part, folder):
        return
    cuts = load_cuts(source, part)
    shutil.rmtree(folder / part, ignore_errors=True)  # of a run that was broken off
    copies = [
        cut if speed == 1.0 else cut.perturb_speed(speed)
        for speed in speeds
        for cut in cuts
    ]
    features = features.to(device)
    with NumpyFilesWriter(folder / part) as writer, track(part, len(copies)) as advance:
        stored: list[MonoCut] = []
        for planned in plan_once(copies, max_duration=max_duration):
            stored += _store_batch(planned.cuts, features, writer, device)
            advance(len(planned.cuts))
    made = {part: CutSet.from_cuts(stored)}
    write_manifests(made, {}, folder, corpus_name(source))


def is_stored(source: Path, part: str, folder: Path) -> bool:
    """Say whether a part's features are there and newer than its manifest."""
    made, origin = manifest_path(folder, part), manifest_path(source, part)
    if not made.is_file():
        return False
    return not origin.is_file() or made.stat().st_mtime >= origin.stat().st_mtime


def _store_batch(
    cuts: CutSet, features: Fbank, writer: NumpyFilesWriter, device: torch.device
) -> Iterator[MonoCut]:
    """Yield the cuts of a batch with their stored features."""
    batch = list(cuts)
    signals = [torch.from_numpy(read(cut, features.sampling_rate)) for cut in batch]
    feats, lens = features(pad(signals).to(device), lengths(signals).to(device))
    for cut, rows, length in zip(batch, feats.cpu(), lens.tolist(), strict=True):
        key = writer.write(cut.id, rows[:length].numpy())
        flat = flatten(cut)
        flat.features = Features(
            type="asrkit-fbank",
            num_frames=length,
            num_features=features.num_bins,
            frame_shift=FRAME_SHIFT,
            sampling_rate=features.sampling_rate,
            start=flat.start,
            duration=flat.duration,
            storage_type=writer.name,
            storage_path=str(writer.storage_path),
            storage_key=key,
            recording_id=flat.supervisions[0].recording_id,
            channels=flat.channel,
        )
        yield flat
