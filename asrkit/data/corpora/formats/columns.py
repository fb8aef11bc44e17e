"""What the columns of a table are called: by asrkit, and by others."""

import re
from collections.abc import Iterable, Mapping

from asrkit.utils.errors import InputError

ALIASES = {
    "audio": (
        "audio_filepath",
        "audio_file",
        "audio_path",
        "path",
        "file",
        "filename",
        "file_name",
        "filepath",
        "wav",
        "wav_filename",
        "wav_file",
        "wav_path",
    ),
    "text": ("sentence", "transcript", "transcription", "txt", "wrd"),
    "speaker": ("speaker_id", "spk", "spk_id", "client_id"),
    "start": ("offset", "start_time"),
    "end": ("end_time", "stop"),
    "duration": (),
    "channel": (),
    "id": ("key", "utt", "utt_id", "utterance_id", "uttid"),
    "shard": ("shard_id",),
}
"""Our names, and those of others (NeMo, WeNet, Common Voice, SpeechBrain, DeepSpeech,
Hugging Face); upper and lower case are the same, so are blank, - and _."""
REQUIRED = ("audio", "text")


def find_columns(
    names: Iterable[str], chosen: Mapping[str, str], where: str
) -> dict[str, str]:
    """Find the columns of a table.

    Args:
        names: As the table has them.
        chosen: What the user says: a name of the table's by a name of ours.
        where: The table and line, for messages.

    Returns:
        The table's names by ours; those of `REQUIRED` may be lacking.

    Raises:
        InputError: Several columns may be meant, or a chosen one is not there.
    """
    found: dict[str, list[str]] = {}
    names = [name for name in names if name]
    for name in names:
        plain = _plain(name)
        for ours, others in ALIASES.items():
            if plain == ours:
                found[ours] = [name]
            elif plain in others and _plain(found.get(ours, [""])[0]) != ours:
                found.setdefault(ours, []).append(name)
    for ours, name in chosen.items():
        if name not in names:
            raise InputError(f"{where}: no column {name!r}; there are {_list(names)}")
        found[ours] = [name]
    for ours, several in found.items():
        if len(several) > 1:
            raise InputError(
                f"{where}: {' and '.join(several)} may all be {ours}; "
                f"say which with --columns {ours}={several[0]}"
            )
    return {ours: name for ours, (name,) in found.items()}


def are_known(names: Iterable[str]) -> bool:
    """Tell whether some names stand for audio and text."""
    plain = {_plain(name) for name in names}
    return all(plain & {ours, *ALIASES[ours]} for ours in REQUIRED)


def refuse_columns(found: Mapping[str, str], names: Iterable[str], where: str) -> None:
    """Check that a table has what an utterance needs.

    Raises:
        InputError: It has not.
    """
    if lacking := [ours for ours in REQUIRED if ours not in found]:
        named = ",".join(f"{ours}=NAME" for ours in lacking)
        raise InputError(
            f"{where}: the header lacks {' and '.join(lacking)}; its columns are "
            f"{_list(names)}: say which with --columns {named}"
        )


def parse_columns(text: str) -> dict[str, str]:
    """Read what --columns says, audio=NAME,text=NAME.

    Raises:
        InputError: It makes no sense.
    """
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    for ours, _, name in pairs:
        if ours not in ALIASES or not name:
            raise InputError(
                f"--columns {text}: expected OURS=THEIRS,... with OURS one of "
                f"{', '.join(ALIASES)}"
            )
    return {ours: name for ours, _, name in pairs}


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "empty"
