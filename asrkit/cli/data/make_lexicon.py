"""`scripts/make_lexicon.py`: the phones of the words of transcripts or of texts."""

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from asrkit.cli.logs import start_logging
from asrkit.cli.texts import read_texts
from asrkit.data.synthesis.espeak import phonemes
from asrkit.text.pronunciation.g2p import train_g2p
from asrkit.text.pronunciation.lexicon import parse_pronunciations
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

Lexicon = dict[str, list[list[str]]]
"""The pronunciations of each word, the most usual one first."""

_ACCENT = "en-US"
_EXAMPLES = 5  # of words that nobody can pronounce
_STRESSED = re.compile("([A-Z]{2})[012]")  # ARPAbet's vowels
_TONE = re.compile("[3-9]$")


def main(argv: list[str] | None = None) -> int:
    """Write a lexicon, say where its words come from, and list what was guessed."""
    parse = parser()
    args = parse.parse_args(argv)
    if args.sets and not args.manifests:
        parse.error("--sets needs --manifests, the folder they are in")
    start_logging(None, "make_lexicon")
    texts = read_texts(args.text, args.manifests, args.sets)
    counts = Counter(word for text in texts for word in text.split())
    # A line of a lexicon that begins with # is a comment.
    words = sorted(word for word in counts if not word.startswith("#"))
    guessed = Lexicon()
    if args.espeak:
        known, origin = _speak(words, args.espeak), f"espeak-ng ({args.espeak})"
    else:
        known, origin = _read(args.source), str(args.source)
        guessed = _guess([word for word in words if word not in known], known)
    left_out = [word for word in counts if word not in known and word not in guessed]
    _check(counts, left_out, origin)
    print(
        f"{len(counts)} words: {len(counts) - len(guessed) - len(left_out)} from "
        f"{origin}, {len(guessed)} guessed, {len(left_out)} left out"
    )
    _write(args.out, _lines(known | guessed, counts))
    _write(_beside(args.out, "guessed"), _lines(guessed, counts))
    _write(_beside(args.out, "left_out"), [f"{word}\n" for word in sorted(left_out)])
    return 0


def _speak(words: Sequence[str], accent: str) -> Lexicon:
    spoken = zip(words, phonemes(words, accent), strict=True)
    return {word: [phones] for word, phones in spoken if phones}


def _read(path: Path) -> Lexicon:
    """Read a lexicon without ARPAbet's stress: AH0 is AH."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"--from: cannot read {path}: {error.strerror}") from error
    lexicon = parse_pronunciations(str(path), content)
    symbols = {phone for ways in lexicon.values() for way in ways for phone in way}
    if any(_TONE.search(symbol) for symbol in symbols):  # Not English.
        return lexicon
    plain = {symbol: _STRESSED.sub(r"\1", symbol) for symbol in symbols}
    return {
        # What differed in stress alone is the same now.
        word: [list(way) for way in {tuple(plain[p] for p in way): 0 for way in ways}]
        for word, ways in lexicon.items()
    }


def _guess(words: Sequence[str], lexicon: Lexicon) -> Lexicon:
    """Pronounce words by what the lexicon teaches; some cannot be."""
    if not words:
        return {}
    model = train_g2p(lexicon)
    spoken = ((word, model.pronounce(word)) for word in words)
    return {word: [phones] for word, phones in spoken if phones is not None}


def _check(counts: Counter[str], left_out: Sequence[str], origin: str) -> None:
    if not counts:
        raise InputError("there is no word in the texts")
    if len(left_out) == len(counts):
        raise InputError(
            f"none of the {len(counts)} words can be pronounced after {origin}, such "
            f"as {', '.join(map(repr, left_out[:_EXAMPLES]))}; letters have to be the "
            "same as there, in upper or lower case"
        )


def _lines(lexicon: Lexicon, counts: Counter[str]) -> list[str]:
    """Return the lines, frequent words first: of homophones the first is recognized."""
    return [
        f"{word} {' '.join(phones)}\n"
        for word in sorted(lexicon, key=lambda word: -counts[word])
        for phones in lexicon[word]
    ]


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.stem}_{what}{path.suffix}")


def _write(path: Path, lines: Sequence[str]) -> None:
    """Write a file and say so; without lines there is none, of an earlier run neither.

    Args:
        path: Where to.
        lines: With their ends; one a word or pronunciation.
    """
    if not lines:
        path.unlink(missing_ok=True)
        return
    with atomic_write(path, "w") as file:
        file.writelines(lines)
    print(f"wrote {path}: {len(lines)} lines")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Write a lexicon for tokenizer=phone, lines 'WORD PHONE PHONE', "
        "that has the words of transcripts or texts and all words of the lexicon that "
        "it is made from.",
        epilog="For --out x.txt, guessed words are listed in x_guessed.txt, too, and "
        "words that cannot be pronounced, such as digits and Roman numerals, in "
        "x_left_out.txt: for the "
        "tokenizer they are <unk>. Example: make_lexicon.py --manifests "
        "data/mine/manifests --sets train --espeak --out data/mine/lexicon.txt",
    )
    words = parser.add_mutually_exclusive_group(required=True)
    words.add_argument(
        "--text", nargs="+", type=Path, metavar="FILE", help="words of texts"
    )
    words.add_argument(
        "--sets", nargs="+", metavar="SET", help="words of the transcripts of sets"
    )
    origin = parser.add_mutually_exclusive_group(required=True)
    origin.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="LEXICON",
        help="a lexicon, also CMUdict's, Kaldi's or MFA's, whose stress marks (AH0) "
        "are removed; words that it lacks are guessed after those that it has",
    )
    origin.add_argument(
        "--espeak",
        nargs="?",
        const=_ACCENT,
        metavar="ACCENT",
        help=f"English as espeak-ng speaks it (default: {_ACCENT})",
    )
    add = parser.add_argument
    add("--manifests", type=Path, metavar="DIR", help="where the sets are")
    add("--out", type=Path, required=True, metavar="FILE", help="lexicon to write")
    return parser
