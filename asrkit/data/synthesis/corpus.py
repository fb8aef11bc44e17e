"""The demo corpus: made-up sentences, spoken by espeak-ng, in LibriSpeech layout."""

import json
import logging
import multiprocessing
import os
import random
import shutil
import signal
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import soundfile

from asrkit.data.corpora.word_times import word_times_path, write_ctm
from asrkit.data.progress import track
from asrkit.data.synthesis import espeak
from asrkit.data.synthesis.espeak import VoiceSettings
from asrkit.data.synthesis.sentences import draw_sentences
from asrkit.data.synthesis.utterance import SAMPLE_RATE, SpokenUtterance, render
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)

DONE = ".demo_corpus.json"
"""File that marks a finished corpus and says what it was made with."""
_VERSION = 3  # Count up when the same settings come to mean other files.
_VOICES_A_PROCESS = 6

ACCENTS = ("en-US", "en")  # "en" is British

# The variants that sound like a person: no whispers, no creaking, no robots, none that
# rush, and one of those that differ in little else than their name.
FEMALE = "Annie aunty belinda f1 f2 f3 f4 f5 grandma linda steph"
MALE = (
    "Alex Denis Diogo Gene Hugo Mario Mike Nguyen ed iven3 john m1 m2 m3 m4 m5 m6 m7 "
    "m8 max michel miguel pablo paul quincy rob robert sandro victor"
)


@dataclass(frozen=True, kw_only=True)
class _Share:
    """The variants that a part takes away from all others."""

    female: int
    male: int
    voices: int


_SHARES = {
    "test": _Share(female=3, male=5, voices=8),
    "dev": _Share(female=2, male=6, voices=8),
    "train": _Share(female=6, male=18, voices=40),
}


def synthesize(
    folder: Path,
    *,
    train: int = 1000,
    dev: int = 60,
    test: int = 100,
    seed: int = 0,
    jobs: int | None = None,
) -> None:
    """Speak a corpus into folder/{train,dev,test}/SPEAKER/1/, 16 kHz FLAC of 16 bit.

    Beside each chapter's transcripts are the times of their words (`word_times`).

    No two parts share a sentence, a voice or a variant. The same settings give the same
    samples, whatever `jobs`. A finished corpus of the same settings is left alone; one
    of other settings is replaced.

    Args:
        folder: Where to write; made when missing.
        train: Utterances to train on.
        dev: Utterances to develop with.
        test: Utterances to test with.
        seed: Of sentences, voices and noise.
        jobs: Processes; None for one a CPU.

    Raises:
        InputError: espeak-ng is missing, or the folder holds something else.
    """
    counts = {"train": train, "dev": dev, "test": test}
    settings = {**counts, "seed": seed, "version": _VERSION}
    if _settings_of(folder) == settings:
        logger.info("%s: the demo corpus is there already", folder)
        return
    if folder.exists() and _settings_of(folder) is None and any(folder.iterdir()):
        raise InputError(
            f"{folder} holds something that is no demo corpus; "
            "choose another folder, or empty this one"
        )
    _check_voices()
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    _speak_all(_plan(partial, counts, seed), jobs or os.cpu_count() or 1)
    with atomic_write(partial / DONE, "w") as file:
        json.dump(settings, file)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _settings_of(folder: Path) -> dict[str, int] | None:
    try:
        return json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _check_voices() -> None:
    if lacking := sorted({*FEMALE.split(), *MALE.split()} - set(espeak.variants())):
        raise InputError(
            f"this espeak-ng ({espeak.data_path()}) lacks the voice variants "
            f"{', '.join(lacking)}; pip install --upgrade espeakng-loader"
        )


def _plan(folder: Path, counts: Mapping[str, int], seed: int) -> list[SpokenUtterance]:
    """Draw all that is left to chance; the utterances of a voice stand together."""
    rng = random.Random(seed)
    voices = _draw_voices(rng)
    plan = []
    # Test first: it stays the same when there is more to train on.
    parts = list(_SHARES)
    sentences = draw_sentences([counts[part] for part in parts], rng)
    speaker = 0
    for part, texts in zip(parts, sentences, strict=True):
        draw = random.Random(f"{seed} {part}")
        for number, (accent, variant) in enumerate(voices[part]):
            speaker += 1
            chapter = folder / part / str(speaker) / "1"
            for index, text in enumerate(texts[number :: len(voices[part])]):
                path = chapter / f"{speaker}-1-{index:04d}.flac"
                plan.append(_draw_utterance(path, text, accent, variant, draw))
    return plan


def _draw_voices(rng: random.Random) -> dict[str, list[tuple[str, str]]]:
    """Draw for each part its voices (accent, variant); no variant is in two parts."""
    female, male = FEMALE.split(), MALE.split()
    rng.shuffle(female)
    rng.shuffle(male)
    voices = {}
    for part, share in _SHARES.items():
        women = [female.pop() for _ in range(share.female)]
        men = [male.pop() for _ in range(share.male)]
        # Where there are more voices than variants, some variants speak again with
        # another accent: the women first, of whom espeak-ng has fewer.
        variants = (women + men + women + men)[: share.voices]
        offset = rng.randrange(len(ACCENTS))
        once = len(women + men)
        voices[part] = [
            # One accent further the second time round, lest a voice comes twice.
            (ACCENTS[(offset + number + number // once) % len(ACCENTS)], variant)
            for number, variant in enumerate(variants)
        ]
    return voices


def _draw_utterance(
    path: Path, text: str, accent: str, variant: str, rng: random.Random
) -> SpokenUtterance:
    voice = VoiceSettings(
        accent=accent,
        variant=variant,
        rate=rng.randint(140, 190),
        pitch=rng.randint(35, 65),
        pitch_range=rng.randint(30, 70),
        word_gap=rng.choice((0, 0, 0, 1, 2)),
    )
    return SpokenUtterance(
        path=path,
        text=text,
        voice=voice,
        level=rng.uniform(-30, -20),
        snr=rng.uniform(25, 40),
        pink=rng.random() < 0.5,
        lead=rng.uniform(0.05, 0.2),
        trail=rng.uniform(0.05, 0.2),
        noise_seed=rng.getrandbits(32),
    )


def _speak_all(plan: list[SpokenUtterance], jobs: int) -> None:
    # espeak-ng keeps state: what it speaks is the same every time only when a fresh
    # process speaks the same things before. So which voices share a process is fixed.
    chapters = [
        list(items) for _, items in groupby(plan, lambda item: item.path.parent)
    ]
    blocks = [
        chapters[first : first + _VOICES_A_PROCESS]
        for first in range(0, len(chapters), _VOICES_A_PROCESS)
    ]
    with (
        track("speaking", len(plan)) as advance,
        ThreadPoolExecutor(jobs) as pool,
    ):
        untimed = []
        for block, lacking in zip(
            blocks, pool.map(_speak_in_fresh_process, blocks), strict=True
        ):
            untimed += lacking
            advance(sum(map(len, block)))
    if untimed:
        logger.warning(
            "espeak-ng took words of %d utterances together or apart, which are "
            "without word times: %s",
            len(untimed),
            ", ".join(untimed),
        )


def _speak_in_fresh_process(chapters: list[list[SpokenUtterance]]) -> list[str]:
    with ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),
        # Ctrl-C is for the parent to report.
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    ) as process:
        return process.submit(_speak_chapters, chapters).result()


def _speak_chapters(chapters: list[list[SpokenUtterance]]) -> list[str]:
    """Return the utterances without word times."""
    try:
        return [one for chapter in chapters for one in _speak_chapter(chapter)]
    except (soundfile.SoundFileError, OSError) as error:
        folder = chapters[0][0].path.parents[3]
        raise InputError(
            f"cannot write the demo corpus to {folder}: {error}; "
            "free some disk space or choose another folder"
        ) from error


def _speak_chapter(utterances: list[SpokenUtterance]) -> list[str]:
    folder = utterances[0].path.parent
    folder.mkdir(parents=True)
    times = {}
    for utterance in utterances:
        samples, times[utterance.path.stem] = render(utterance)
        soundfile.write(utterance.path, samples, SAMPLE_RATE, subtype="PCM_16")
    lines = (f"{item.path.stem} {item.text}\n" for item in utterances)
    transcript = folder / f"{folder.parent.name}-{folder.name}.trans.txt"
    transcript.write_text("".join(lines), encoding="utf-8")
    known = {id: words for id, words in times.items() if words is not None}
    write_ctm(known, word_times_path(transcript))
    return sorted(times.keys() - known.keys())
