"""Reading what a cut holds: audio, or features computed before."""

import numpy as np
import torch
from lhotse.augmentation import Resample
from lhotse.cut import Cut, MixedCut
from torch import Tensor

from asrkit.data.audio.backend import prefer_libsndfile
from asrkit.data.audio.channels import mix_down
from asrkit.data.audio.unreadable import (
    UnreadableError,
    explain,
    explain_features,
    find_fault,
    is_command,
)


def read_signal(cut: Cut, sampling_rate: int, *, stored_features: bool) -> Tensor:
    """Read a cut's audio, (S,), or its stored features, (T_in, F); float32.

    Raises:
        UnreadableError: There is something wrong with it.
    """
    if not stored_features:
        return torch.from_numpy(read(cut, sampling_rate))
    try:
        feats = cut.load_features()
    except Exception as error:  # lhotse raises what its many readers raise
        raise UnreadableError(explain_features(cut, error)) from error
    if not np.isfinite(feats).all():
        raise UnreadableError(explain_features(cut, feats))
    return torch.from_numpy(feats)


def read(cut: Cut, sampling_rate: int) -> np.ndarray:
    """Read a cut's audio at the given rate, (S,), float32.

    Of several channels their mean is taken (`asrkit.data.audio.channels`).

    Raises:
        UnreadableError: There is something wrong with it.
    """
    if is_command(cut):
        raise UnreadableError(explain(cut, "is a command, and none is run"))
    try:
        samples = mix_down(np.asarray(_load(cut, sampling_rate), dtype=np.float32))
    except Exception as error:  # lhotse raises what its many readers raise
        raise UnreadableError(explain(cut, error)) from error
    fault = find_fault(cut, samples)
    if fault is not None:
        raise UnreadableError(explain(cut, fault))
    return samples


def _load(cut: Cut, sampling_rate: int) -> np.ndarray:
    prefer_libsndfile()
    if cut.sampling_rate == sampling_rate:
        return cut.load_audio()
    if isinstance(cut, MixedCut) and cut.transforms:
        # Lhotse 1.33.0 forgets what is done to a mix as a whole when it resamples it.
        change = Resample(cut.sampling_rate, sampling_rate)
        return change(cut.load_audio(), cut.sampling_rate)
    return cut.resample(sampling_rate).load_audio()
