"""Every link of the documentation leads somewhere."""

import re
import unicodedata
from pathlib import Path

import pytest

from tests.meta.test_repository import ROOT, tracked

FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1\s*$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]\[]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def prose(path: Path) -> str:
    """Return a page without its code."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    return re.sub(r"`[^`\n]*`", lambda m: m[0].replace("[", " "), text)


def anchors(path: Path) -> set[str]:
    """Return the names that a page's headings have, as GitHub makes them."""
    found: set[str] = set()
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for heading in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE):
        kept = (c for c in heading.lower() if c in " -_" or is_word(c))
        name = unique = "".join(kept).replace(" ", "-")
        count = 0
        while unique in found:
            count += 1
            unique = f"{name}-{count}"
        found.add(unique)
    return found


def is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


def broken(path: Path) -> list[str]:
    """Return the links of a page that lead nowhere."""
    found = []
    for link in LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if (
            not target.exists()
            or not target.is_relative_to(ROOT)
            or (anchor and anchor not in anchors(target))
        ):
            found.append(link)
    return found


def test_links_lead_somewhere():
    assert len(pages()) > 8
    assert {str(p.relative_to(ROOT)): b for p in pages() if (b := broken(p))} == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](b.md) [c](https://example.org/x) ![d](e.png)", ["b.md", "e.png"]),
        ("# An `x`, y\n[a](#an-x-y) [b](#an-x)", ["#an-x"]),
        ("```\n[a](b.md)\n# c\n```\n`[a](b)` [d](#c)", ["#c"]),
        ("# a\n# a\n[b](#a-1) [c](#a-2)", ["#a-2"]),
        ("[up](../../../nowhere)", ["../../../nowhere"]),
    ],
)
def test_broken_links_are_seen(tmp_path, monkeypatch, text, expected):
    monkeypatch.setattr("tests.meta.test_docs.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    assert broken(page) == expected


def test_every_page_is_in_the_index():
    index = prose(ROOT / "docs" / "README.md")
    names = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {name for name in names if f"({name}" not in index} == set()
