"""Random pairs for the real sclite (Debian package sctk 2.4.10), and what it counts.

`python -m tests.unit.decoding.scoring.sclite.real` makes the stored counts anew.
"""

import json
import random
import re
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
SCTK = shutil.which("sctk")
OPTIONS = [[], ["-D"], ["-F"], ["-D", "-F"], ["-s"], ["-D", "-F", "-s"]]
WORDS = ["a", "b", "c", "d", "A", "B", "th", "the", "then", "ing", "sing", "don't"]
GLM_WORDS = [
    "uh", "i'd", "cannot", "mr.", "[noise]", "she's", "onlyhyp", "both", "can", "not",
    "well-known", "mm-hmm", "i", "had", "would", "she", "is", "t.", "shirt", "colours",
    "falkner", "william", "The", "ok", "united", "states'",
]  # fmt: skip
_SCORES = re.compile(
    r"^id: \((.*)\)\n(?:.*\n){0,6}?Scores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)",
    re.MULTILINE,
)


@dataclass
class Case:
    """References and hypotheses, and [correct, sub, del, ins] by utterance."""

    options: list[str]
    ref: str
    hyp: str
    counts: dict[str, list[int]] = field(default_factory=dict)


class Maker:
    """Makes random texts and files."""

    def __init__(self, seed: int, words: list[str] = WORDS) -> None:
        self.random = random.Random(seed)
        self.words = words

    def token(self) -> str:
        """Return a word, at times a fragment, or one in parentheses."""
        word = self.random.choice(self.words)
        if self.random.random() < 0.15:
            word = self.random.choice([f"{word}-", f"-{word}"])
        plain = "'" in word  # what a glm puts braces around
        return word if plain or self.random.random() > 0.15 else f"({word})"

    def text(self, most: int, depth: int, share: float) -> str:
        """Return words and, of a share of them, alternatives."""
        return " ".join(
            self.alternatives(depth, share)
            if depth and self.random.random() < share
            else self.token()
            for _ in range(self.random.randint(0, most))
        )

    def alternatives(self, depth: int, share: float) -> str:
        """Return `{ a / b }`."""
        readings = [
            "@" if self.random.random() < 0.3 else self.text(3, depth - 1, share) or "x"
            for _ in range(self.random.randint(2, 3))
        ]
        return "{ " + " / ".join(readings) + " }"

    def trn(self, options: list[str], pairs: int) -> Case:
        """Return a case of so many utterances."""
        ids = [f"s{number % 3}-{number}" for number in range(pairs)]
        ref = "".join(f"{self.text(8, 2, 0.25)} ({id_})\n" for id_ in ids)
        hyp = "".join(f"{self.text(8, 1, 0.05)} ({id_})\n" for id_ in ids)
        return Case(options, ref, hyp)

    def timed(self, options: list[str], *, glm: bool = False) -> Case:
        """Return a case of an stm and a ctm."""
        stm = [
            ';; CATEGORY "0" "" ""', ';; LABEL "O" "Overall" "Overall"',
            ';; CATEGORY "1" "corpus" "Corpus"', ';; LABEL "SWB" "Switchboard" "x"',
            ';; LABEL "CH" "CallHome" "x"',
        ]  # fmt: skip
        ctm: list[str] = []
        files = self.random.sample(["en_1", "sw_3"], self.random.choice([1, 1, 2]))
        for file in sorted(files):
            for channel in "AB"[: self.random.randint(1, 2)]:
                speaker = self.random.choice([f"{file}_{channel}", "x"])
                label = "SWB" if file.startswith("sw") else "CH"
                end = self._segments(stm, f"{file} {channel} {speaker}", f"<O,{label}>")
                self._words(ctm, f"{file} {channel}", end, alternatives=not glm)
        return Case(options, "\n".join(stm) + "\n", "\n".join(ctm) + "\n")

    def _segments(self, stm: list[str], place: str, labels: str) -> float:
        end = 0.0
        for _ in range(self.random.randint(1, 4)):
            begin = round(end + self.random.choice([0, 0, 0.5]), 2)
            end = round(begin + self.random.choice([0.5, 1.3, 2.1]), 2)
            text = self.text(5, 1, 0.15)
            if self.random.random() < 0.1:
                text = "IGNORE_TIME_SEGMENT_IN_SCORING"
            stm.append(f"{place} {begin:.2f} {end:.2f} {labels} {text}")
        return end

    def _words(
        self, ctm: list[str], place: str, end: float, *, alternatives: bool
    ) -> None:
        begin = self.random.choice([0.0, 0.3])
        while begin < end + self.random.choice([0, 1]):
            lasts = self.random.choice([0.1, 0.2, 0.25, 0.3])
            word = f"{place} {begin:.2f} {lasts:.2f} "
            if alternatives and self.random.random() < 0.1:
                mark = f"{place} * * "
                ctm += [f"{mark}<ALT_BEGIN>", word + self.token(), f"{mark}<ALT>"]
                ctm += [word + self.random.choice([self.token(), "@"])]
                ctm += [word + self.token(), f"{mark}<ALT_END>"]
            else:
                ctm.append(f"{word}{self.token()} {self.random.random():.2f}")
            begin = round(begin + lasts + self.random.choice([0, 0, 0.1, 0.5]), 2)


def real_counts(case: Case, formats: tuple[str, str]) -> dict[str, list[int]] | None:
    """Return what the real sclite counts; None where it crashes."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("r", case.ref), ("h", case.hyp)):
            Path(folder, name).write_text(text, encoding="utf-8")
        command = ["sctk", "sclite", "-r", "r", formats[0], "-h", "h", formats[1]]
        command += ["-i", "spu_id", "-e", "utf-8", "-o", "pra", "-O", folder]
        ran = subprocess.run([*command, *case.options], cwd=folder, capture_output=True)
        if ran.returncode != 0:
            return None
        report = Path(folder, "h.pra").read_text(encoding="utf-8")
    return {id_: [int(n) for n in numbers] for id_, *numbers in _SCORES.findall(report)}


def filtered(text: str, format: str, side: str, glm: Path, options: list[str]) -> str:
    """Return a file as the real csrfilt.sh rewrites it."""
    command = ["sctk", "csrfilt", "-dh", "-i", format, "-t", side]
    command += ["-s"] if "-s" in options else []
    ran = subprocess.run(
        [*command, str(glm)], input=text, capture_output=True, text=True, check=True
    )
    return ran.stdout


def stored(name: str) -> list[Case]:
    """Return the cases of a stored file."""
    return [Case(**row) for row in json.loads((HERE / name).read_text("utf-8"))]


def _store(name: str, cases: list[Case], formats: tuple[str, str]) -> None:
    rows = []
    for case in cases:
        counts = real_counts(case, formats)
        if counts is not None and any(sum(one[:3]) for one in counts.values()):
            rows.append(json.dumps(asdict(case) | {"counts": counts}))
    (HERE / name).write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    maker = Maker(seed=1)
    _store("trn.json", [maker.trn(one, 34) for one in OPTIONS], ("trn", "trn"))
    timed = [maker.timed(OPTIONS[number % len(OPTIONS)]) for number in range(60)]
    _store("stm.json", timed[:54], ("stm", "ctm"))
