"""report.html: its data read back, and nothing in them that ends up as HTML."""

import json
import random
import re
from html.parser import HTMLParser

import pytest

from asrkit.decoding.scoring.html_report import Decoded, write_html_report
from asrkit.decoding.scoring.score import Hypothesis, score
from asrkit.decoding.scoring.significance import compare
from asrkit.utils.errors import InputError

NASTY = [
    "</script><script>alert(1)</script>",
    "<!--",
    "<img src=x onerror=alert(2)>",
    "\"'&amp;",
    "{{script}}",
    "\u2028",
    "שלום",
    "\\",
]


def read(path):
    """Return the elements of a page, with their texts, as a browser finds them."""

    class Parser(HTMLParser):
        def __init__(self):
            super().__init__()
            self.found = []

        def handle_starttag(self, tag, attrs):
            self.found.append((tag, dict(attrs), []))

        def handle_data(self, data):
            if self.found:
                self.found[-1][2].append(data)

    parser = Parser()
    parser.feed(path.read_text(encoding="utf-8"))
    return [(tag, attrs, "".join(texts).strip()) for tag, attrs, texts in parser.found]


def data_of(path):
    texts = [text for _, attrs, text in read(path) if attrs.get("id") == "data"]
    assert len(texts) == 1
    return json.loads(texts[0])["sets"]


def hypotheses_of(shown, system):
    """Rebuild (id, reference, hypothesis) from a page's data, as its script does."""
    rows = zip(shown["ids"], shown["refs"], shown["edits"][system], strict=True)
    for id_, text, edits in rows:
        ref = text.split(" ") if text else []
        before = {}
        changed = dict(enumerate(ref))
        for place, word in zip(edits[::2], edits[1::2], strict=True):
            if place < 0:
                before.setdefault(-place - 1, []).append(word)
            else:
                changed[place] = word
        hyp = []
        for place in range(len(ref) + 1):
            hyp += [*before.get(place, []), changed.get(place, "")]
        yield id_, ref, [word for word in hyp if word]


def random_set(seed, size=60):
    draw = random.Random(seed)
    refs = random.Random(0)
    return [
        Hypothesis(
            f"u{i:03d}",
            refs.choices("abc", k=refs.randint(0, 8)),
            draw.choices("abc", k=draw.randint(0, 8)),
            f"s{i % 7}",
            1 + i / 10,
        )
        for i in range(size)
    ]


@pytest.fixture
def pair(tmp_path):
    """Return two systems' hypotheses and the data of a page of them."""
    a, b = random_set(1), random_set(2)
    versus = Decoded("dev", "beam", score(b), memory_mib=300.5)
    write_html_report(
        tmp_path / "r.html",
        [Decoded("dev", "greedy", score(a), rtfx=12.5, versus=versus)],
    )
    return a, b, data_of(tmp_path / "r.html")[0]


def test_references_and_hypotheses_read_back(pair):
    *systems, shown = pair
    for number, hypotheses in enumerate(systems):
        expected = [(one.id, one.ref, one.hyp) for one in hypotheses]
        assert list(hypotheses_of(shown, number)) == expected
    assert shown["speakers"]["names"] == [f"s{i}" for i in range(7)]
    assert shown["speakers"]["of"][:8] == [0, 1, 2, 3, 4, 5, 6, 0]
    assert shown["durations"][:3] == [1.0, 1.1, 1.2]


def test_summary_and_comparison_are_those_of_the_scores(pair):
    a, b, shown = pair
    for system, hypotheses in zip(shown["systems"], (a, b), strict=True):
        result = score(hypotheses)
        assert (system["rate"], system["cer"]) == (result.rate, result.cer)
        assert (system["low"], system["high"]) == result.ci95
        assert system["errors"] == result.errors
    assert [one["method"] for one in shown["systems"]] == ["greedy", "beam"]
    assert [one["rtfx"] for one in shown["systems"]] == [12.5, None]
    assert [one["memory"] for one in shown["systems"]] == [None, 300.5]
    expected = compare(score(a), score(b))
    assert shown["comparison"]["p"] == expected.p_value
    assert shown["comparison"]["difference"] == expected.difference


def test_groups_and_frequent_errors_add_up(pair):
    a, b, shown = pair
    totals = [score(a), score(b)]
    for groups in shown["groups"].values():
        for system, total in enumerate(totals):
            assert sum(one["errors"][system] for one in groups) == total.errors
        assert sum(one["words"] for one in groups) == totals[0].words
    assert sorted(shown["groups"]) == ["duration", "rate", "speaker", "words"]
    for kind in ("subs", "dels", "ins"):
        rows = shown["frequent"][kind]
        for system, total in enumerate(totals):
            assert sum(row[2 + system] for row in rows) == getattr(total, kind)
        assert [max(row[2:]) for row in rows] == sorted(
            (max(row[2:]) for row in rows), reverse=True
        )


def test_what_either_system_knows_serves_both(tmp_path):
    known = random_set(1)
    bare = [Hypothesis(one.id, one.ref, one.hyp) for one in random_set(2)]
    for name, first, second in (("a", known, bare), ("b", bare, known)):
        path = tmp_path / name
        versus = Decoded("dev", "y", score(second))
        write_html_report(path, [Decoded("dev", "x", score(first), versus=versus)])
        shown = data_of(path)[0]
        assert len(shown["groups"]["speaker"]) == 7
        assert shown["durations"][2] == 1.2


def test_no_text_becomes_html(tmp_path):
    path = tmp_path / "r.html"
    nasty = [
        Hypothesis(f"{word} {i}", [word, "x"], ["x", word], word, 1.0)
        for i, word in enumerate(NASTY)
    ]
    write_html_report(
        path, [Decoded(NASTY[0], NASTY[2], score(nasty))], title=NASTY[0], note=NASTY[2]
    )
    elements = read(path)
    scripts = [attrs for tag, attrs, _ in elements if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}, {}]
    assert "img" not in {tag for tag, _, _ in elements}
    assert path.read_text().count("</script>") == 2
    assert ("title", {}, NASTY[0]) in elements
    shown = data_of(path)[0]
    assert {one[0] for one in shown["frequent"]["dels"]} <= {*NASTY, "x"}
    words = [word.replace(" ", "\u00a0") for word in NASTY]
    assert sorted(shown["refs"]) == sorted(f"{word} x" for word in words)


def test_a_word_with_a_space_stays_one(tmp_path):
    path = tmp_path / "r.html"
    result = score([Hypothesis("u", ["new york", "b"], ["new york", "c"])])
    write_html_report(path, [Decoded("s", "m", result)])
    shown = data_of(path)[0]
    assert (shown["refs"], shown["edits"]) == (["new\u00a0york b"], [[[1, "c"]]])


def test_the_page_loads_nothing(tmp_path):
    path = tmp_path / "r.html"
    write_html_report(path, [Decoded("s", "m", score(random_set(1)))])
    text = path.read_text()
    allowed = {"http://www.w3.org/2000/svg"}  # the name of SVG, not an address
    assert set(re.findall(r"https?://[^\"'\s]+", text)) == allowed
    assert "default-src 'none'" in text
    for tag, attrs, _ in read(path):
        assert "src" not in attrs
        assert tag != "link" or attrs["href"] == "data:,"
    assert not re.search(r"\{\{\w+\}\}", text)


def test_bad_sets(tmp_path):
    with pytest.raises(InputError, match="no sets to report"):
        write_html_report(tmp_path / "r.html", [])
    versus = Decoded("s", "y", score(random_set(1)[1:]))
    with pytest.raises(InputError, match=r"second system lacks 1 utterances \(u000\)"):
        write_html_report(
            tmp_path / "r.html",
            [Decoded("s", "x", score(random_set(1)), versus=versus)],
        )
    assert not (tmp_path / "r.html").exists()
