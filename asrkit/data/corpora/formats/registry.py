"""All formats of corpora that can be read, and what tells them apart."""

from pathlib import Path

from asrkit.data.corpora.formats.aishell import AISHELL
from asrkit.data.corpora.formats.common_voice import COMMON_VOICE
from asrkit.data.corpora.formats.format import Format
from asrkit.data.corpora.formats.kaldi import KALDI
from asrkit.data.corpora.formats.lhotse_manifests import LHOTSE
from asrkit.data.corpora.formats.librispeech import LIBRISPEECH
from asrkit.data.corpora.formats.nemo import NEMO
from asrkit.data.corpora.formats.table import TABLE
from asrkit.data.corpora.formats.wenet import WENET

FORMATS = {
    one.name: one
    for one in (LIBRISPEECH, AISHELL, KALDI, LHOTSE, NEMO, WENET, COMMON_VOICE, TABLE)
}
"""By name; of several that recognize a file the first is meant."""


def recognize(path: Path) -> Format | None:
    """Return the format of a file or folder, None where it is in none."""
    return next((one for one in FORMATS.values() if one.recognizes(path)), None)
