"""Global mapping files (glm): NIST's rules that bring both sides into one spelling.

As csrfilt.sh 1.17 and its rfilter1 apply them (SCTK 2.4.10), but for what they do wrong
with slashes outside a context and with words of a CTM that a rule deletes.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from asrkit.utils.errors import InputError
from asrkit.utils.text_file import read_lines

_APPLIES = re.compile(r';;\s+INPUT_DEPENDENT_APPLICATION\s*=\s*"([^"]*)"')
_SETTING = re.compile(r"""\*\s*(\w+)[^"']*["']([^"']*)""")
_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_HYPHEN = re.compile(r"([^( ])-(?=[^) ])")
_TWO_OPTIONAL = re.compile(r"(\(\s+[^()\s]+\s+)([^()\s]+)")


@dataclass(frozen=True)
class Rule:
    """What is found between two contexts, and what is put there instead."""

    find: str
    put: str
    left: str
    right: str


@dataclass(frozen=True)
class GlobalMapping:
    """The rules for one side of a comparison."""

    rules: dict[str, list[Rule]]
    """By the first character that they find, in their order: the first one counts."""
    ignore_case: bool
    """Whether what is found may be in any case."""
    keep_case: bool
    """Whether texts stay as they are; otherwise ASCII's letters become upper case."""
    split_hyphens: bool
    """Whether `well-known` becomes two words; fragments keep their hyphens."""

    def apply(self, text: str, where: str) -> str:
        """Return a transcript with all rules applied.

        Raises:
            InputError: Parentheses do not match.
        """
        if re.search(r"[()]", re.sub(r"\([^()]*\)", "", text)):
            raise InputError(f"{where}: parentheses do not match in {text[:60]!r}")
        if not self.keep_case:
            text = text.translate(_UPPER)
        text = " ".join(text.replace("(", "( ").replace(")", " )").split())
        text = "".join(self._rewritten(f" {text} "))
        if self.split_hyphens:
            text = _HYPHEN.sub(r"\1 ", text)
        while (parted := _TWO_OPTIONAL.sub(r"\1) ( \2", text)) != text:
            text = parted
        return " ".join(re.sub(r"\(\s+", "(", re.sub(r"\s+\)", ")", text)).split())

    def _rewritten(self, text: str) -> Iterator[str]:
        """Return what the text becomes, bit by bit."""
        searched = text.translate(_UPPER) if self.ignore_case else text
        place = 0
        while place < len(text):
            rule = self._fitting(searched, place)
            if rule is None:
                yield text[place]
                place += 1
            else:
                yield rule.put
                place += len(rule.find)

    def _fitting(self, text: str, place: int) -> Rule | None:
        """Return the first rule that fits at a place of a text."""
        for rule in self.rules.get(text[place], ()):
            if (
                text.startswith(rule.find, place)
                and text.startswith(rule.right, place + len(rule.find))
                and text.endswith(rule.left, 0, place)
            ):
                return rule
        return None


def read_glm(
    path: Path, applies_to: Iterable[str], *, keep_case: bool, split_hyphens: bool
) -> GlobalMapping:
    """Read a glm file.

    Args:
        path: The file.
        applies_to: What a part for certain input may name, such as "stm" and "ref".
        keep_case: Leave texts in their case, instead of upper case.
        split_hyphens: Make words with hyphens several words, as csrfilt.sh -dh does.

    Raises:
        InputError: It is malformed.
    """
    lines = list(_lines_for(read_lines(path), list(applies_to)))
    flag = _comment_flag(lines[0][1], path)
    settings: dict[str, str] = {}
    rules = []
    for number, line in lines[1:]:
        line = line.split(flag, 1)[0].rstrip()
        setting = _SETTING.match(line)
        if setting is not None:
            settings[setting[1].lower()] = setting[2].lower()
        elif line.strip():
            rules.append(_rule(line, f"{path}:{number}"))
    if settings.get("format", "nist1") != "nist1":
        raise InputError(f"{path}: its format is not NIST1, which is all there is here")
    if settings.get("copy_no_hit", "t")[:1] in ("f", "n"):
        raise InputError(f"{path} drops what no rule finds (copy_no_hit); that is not "
                         "for transcripts")  # fmt: skip
    ignore_case = settings.get("case_sensitive", "t")[:1] in ("f", "n")
    return GlobalMapping(
        _by_first(rules, ignore_case), ignore_case, keep_case, split_hyphens
    )


def _lines_for(
    lines: list[tuple[int, str]], applies_to: list[str]
) -> Iterator[tuple[int, str]]:
    """Return the lines of the parts that apply."""
    applies = True
    for number, line in lines:
        part = _APPLIES.match(line)
        if part is not None:
            applies = any(re.search(part[1].lower(), name) for name in applies_to)
        if applies:
            yield number, line


def _comment_flag(line: str, path: Path) -> str:
    """Return what comments begin with: the first word of the file."""
    if "=>" in line or line.startswith("*"):
        raise InputError(
            f"{path}: a glm begins with a comment, whose first word marks comments; "
            "put `;;` before the first line"
        )
    return line.split()[0]


def _rule(line: str, where: str) -> Rule:
    """Read `FIND => PUT` or `FIND => PUT / LEFT __ RIGHT`."""
    find, arrow, put = line.partition("=>")
    find = _bare(find)
    if not arrow or not find:
        raise InputError(f"{where}: expected `FIND => PUT`, found {line[:60]!r}")
    left = right = ""
    before, slash, context = put.rpartition("/")
    opened = context.split("]", 1)[0]
    # Not a slash between alternatives, whose closing bracket is yet to come.
    if slash and "_" in context and ("]" not in context or "[" in opened):
        put = before
        left, right = (_bare(part) for part in re.split("_+", context, maxsplit=1))
    return Rule(find, _bare(put), left, right)


def _bare(part: str) -> str:
    """Return a part of a rule without the brackets that keep its spaces."""
    part = part.strip()
    if len(part) > 1 and part[0] + part[-1] in ("[]", '""'):
        return part[1:-1]
    return part


def _by_first(rules: list[Rule], ignore_case: bool) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        if ignore_case:
            find, left, right = (
                part.translate(_UPPER) for part in (rule.find, rule.left, rule.right)
            )
            rule = Rule(find, rule.put, left, right)
        found[rule.find[0]].append(rule)
    return dict(found)
