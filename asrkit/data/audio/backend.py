"""What Lhotse reads audio with."""

from functools import cache
from typing import Any

from lhotse.audio.backend import (
    CompositeAudioBackend,
    Sph2pipeSubprocessBackend,
    get_current_audio_backend,
)

from asrkit.data.audio.sphere import is_packed


class _PackedSphere(Sph2pipeSubprocessBackend):
    """sph2pipe, for SPHERE that libsndfile does not read."""

    def handles_special_case(self, path_or_fd: Any) -> bool:
        return super().handles_special_case(path_or_fd) and is_packed(path_or_fd)


@cache
def prefer_libsndfile() -> None:
    """Have this process read SPHERE files without sph2pipe where that can be.

    Lhotse 1.33.0 calls sph2pipe for every file whose name ends in .sph. A backend that
    was chosen by LHOTSE_AUDIO_BACKEND stays.
    """
    current = get_current_audio_backend()
    if isinstance(current, CompositeAudioBackend):
        current.backends = [
            _PackedSphere() if isinstance(one, Sph2pipeSubprocessBackend) else one
            for one in current.backends
        ]
