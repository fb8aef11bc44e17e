"""Corpora that are made whole or not at all, and the processes that speak them."""

import json
import logging
import multiprocessing
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import soundfile

from asrkit.data.progress import track
from asrkit.data.synthesis import espeak
from asrkit.data.synthesis.plan import Spec
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)

DONE = ".demo_corpus.json"
"""File that marks a finished corpus and says what it was made with."""

Item = TypeVar("Item", bound=Sized)
Result = TypeVar("Result")


def make_once(folder: Path, spec: Spec, make: Callable[[Path], None]) -> None:
    """Make a corpus, unless it is there.

    A finished one of the same version, seed and sizes is left alone; one of others is
    replaced.

    Args:
        folder: Where the corpus goes; made when missing.
        spec: What to speak.
        make: Makes the corpus in another folder, which is then renamed.

    Raises:
        InputError: espeak-ng is missing, or the folder holds something else.
    """
    settings = {**spec.utterances, "seed": spec.seed, "version": spec.version}
    if _settings_of(folder) == settings:
        logger.info("%s: the demo corpus is there already", folder)
        return
    if folder.exists() and _settings_of(folder) is None and any(folder.iterdir()):
        raise InputError(
            f"{folder} holds something that is no demo corpus; "
            "choose another folder, or empty this one"
        )
    _check_voices(spec)
    unfinished = folder.with_name(folder.name + ".partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        make(unfinished)
    except OSError as error:
        raise _cannot_write(unfinished, error) from error
    with atomic_write(unfinished / DONE, "w") as file:
        json.dump(settings, file)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def _settings_of(folder: Path) -> Mapping[str, int | str] | None:
    try:
        return json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _check_voices(spec: Spec) -> None:
    variants = {*spec.female.split(), *spec.male.split()}
    if lacking := [
        *sorted(variants - set(espeak.variants())),
        *sorted(set(spec.accents) - set(espeak.languages())),
    ]:
        raise InputError(
            f"this espeak-ng ({espeak.data_path()}) lacks the voices "
            f"{', '.join(lacking)}; pip install --upgrade espeakng-loader"
        )


def speak_in_fresh_processes(
    speak: Callable[[list[Item]], Result],
    items: Sequence[Item],
    *,
    size: int,
    jobs: int,
    folder: Path,
) -> Iterator[Result]:
    """Have items spoken, and yield what comes of them in their order.

    espeak-ng keeps state: what it speaks is the same every time only when a fresh
    process speaks the same things before. So which items share a process is fixed.

    Args:
        speak: Speaks so many items; called in another process.
        items: Whose lengths are their utterances.
        size: Items of a process.
        jobs: Processes at a time.
        folder: Where the corpus is written, for messages.

    Raises:
        InputError: It cannot be written.
    """
    blocks = [list(items[at : at + size]) for at in range(0, len(items), size)]
    call = partial(_speak_in_fresh_process, speak, folder)
    with (
        track("speaking", sum(map(len, items))) as advance,
        ThreadPoolExecutor(jobs) as pool,
    ):
        for block, result in zip(blocks, pool.map(call, blocks), strict=True):
            yield result
            advance(sum(map(len, block)))


def _speak_in_fresh_process(
    speak: Callable[[list[Item]], Result], folder: Path, block: list[Item]
) -> Result:
    with ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),
        # Ctrl-C is for the parent to report.
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    ) as process:
        return process.submit(_speak, speak, folder, block).result()


def _speak(
    speak: Callable[[list[Item]], Result], folder: Path, block: list[Item]
) -> Result:
    try:
        return speak(block)
    except (soundfile.SoundFileError, OSError) as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: Exception) -> InputError:
    return InputError(
        f"cannot write the demo corpus to {folder}: {error}; "
        "free some disk space or choose another folder"
    )
