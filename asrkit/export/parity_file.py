"""parity.json: which files an export has, and how they were proven."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from asrkit.export.gate import POINTS, TOKENS, Variant
from asrkit.export.onnx_file import OPSET
from asrkit.export.parity import TOLERANCE
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

PARITY_FILE = "parity.json"
_PACKAGES = ("asrkit", "torch", "onnx", "onnxruntime", "sherpa-onnx")


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export is made of."""

    parts: list[str]
    """What a run trains: transducer, ctc."""
    streaming: dict[str, int] | None
    """size and left of a streaming encoder's chunks; None: there is none."""
    int8: bool
    """Whether there are files of 8 bits."""
    kept_in_float: dict[str, list[str]]
    """Blocks that are not of 8 bits there, by part."""


def versions() -> dict[str, str | None]:
    """Return the versions of what an export depends on; None: not installed."""
    found: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def write_parity(
    folder: Path,
    exported: Exported,
    variants: Sequence[Variant],
    failed: Sequence[str],
    proven_on: dict[str, Any],
) -> None:
    """Write a folder's parity.json, after all its other files.

    Args:
        folder: Of the files.
        exported: What they are.
        variants: What they find.
        failed: What of it is beyond the limits, and was allowed.
        proven_on: The set and its utterances.
    """
    content = {
        "equal": not failed,
        "differences_allowed": list(failed),
        "limits": {
            "difference": TOLERANCE,
            "tokens": TOKENS,
            variants[0].rate_name.lower(): POINTS,
        },
        "proven_on": proven_on,
        "variants": [one.as_plain() for one in variants],
        "exported": asdict(exported),
        "opset": OPSET,
        "versions": versions(),
        "files": {
            path.name: {"bytes": path.stat().st_size, "sha256": digest(path)}
            for path in sorted(folder.iterdir())
        },
    }
    with atomic_write(folder / PARITY_FILE) as file:
        file.write((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def read_parity(folder: Path) -> dict[str, Any]:
    """Read a folder's parity.json and look whether its files are those.

    Raises:
        InputError: A file is missing, damaged or another, or one is there that the
            export did not write.
    """
    path = folder / PARITY_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        listed = {name: one["sha256"] for name, one in content["files"].items()}
        Exported(**content["exported"])
    except FileNotFoundError:
        raise InputError(
            f"{path} is missing: {folder} is no finished export; export again"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} cannot be read ({error!r}); export again") from error
    _check_files(folder, listed)
    return content


def _check_files(folder: Path, listed: dict[str, str]) -> None:
    """Compare the files of a folder with a list of them."""
    there = {path.name for path in folder.iterdir()} - {PARITY_FILE}
    if missing := sorted(listed.keys() - there):
        _refuse(folder, missing, "missing")
    if foreign := sorted(name for name in there - listed.keys() if _is_ours(name)):
        _refuse(folder, foreign, "not of this export; take away what is not needed")
    if changed := [name for name in listed if digest(folder / name) != listed[name]]:
        _refuse(folder, changed, "not what was exported")


def _is_ours(name: str) -> bool:
    """Say whether a file could be taken for one of an export."""
    return name.endswith((".onnx", ".data", ".txt", ".vocab"))


def _refuse(folder: Path, names: Iterable[str], what: str) -> None:
    raise InputError(
        f"{', '.join(str(folder / name) for name in names)}: {what}; export again"
    )


def digest(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
