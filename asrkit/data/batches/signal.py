"""Reading what a cut holds: audio, or features computed before."""

import numpy as np
import torch
from lhotse.cut import Cut
from torch import Tensor

from asrkit.data.audio.channels import mix_down
from asrkit.data.batches.unreadable import (
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
    if cut.sampling_rate != sampling_rate:
        cut = cut.resample(sampling_rate)
    try:
        samples = mix_down(np.asarray(cut.load_audio(), dtype=np.float32))
    except Exception as error:  # lhotse raises what its many readers raise
        raise UnreadableError(explain(cut, error)) from error
    fault = find_fault(cut, samples)
    if fault is not None:
        raise UnreadableError(explain(cut, fault))
    return samples
