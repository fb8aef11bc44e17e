"""report.html as a real Chromium shows it."""

import pytest

from asrkit.decoding.scoring.html_report import Decoded, write_html_report
from asrkit.decoding.scoring.score import Hypothesis, score
from tests.unit.decoding.scoring.chromium import Chromium, find_chromium
from tests.unit.decoding.scoring.test_html_report import NASTY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed"),
]

SETTLED = "new Promise(done => setTimeout(done, 300))"  # past the pause after typing


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = Chromium(find_chromium(), tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.close()


def refs(number):
    """Return ten words, one of them the utterance's own."""
    return ["the", "cat", "sat", "on", "a", "mat", "and", "slept", "well", f"w{number}"]


def some_set(size, every):
    """Decode `size` utterances, each so manieth with three errors."""
    hypotheses = []
    for number in range(size):
        words = refs(number)
        if number % every == 0:
            words = ["oh", *words[:1], "hat", *words[2:-2], words[-1]]
        hypotheses.append(
            Hypothesis(f"u{number:06d}", refs(number), words, f"s{number % 7}", 3.0)
        )
    return score(hypotheses)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    a, b = some_set(90, every=3), some_set(90, every=9)
    write_html_report(
        path,
        [
            Decoded("dev", "greedy", a, rtfx=100.0, versus=Decoded("dev", "beam", b)),
            Decoded("test", "greedy", b),
        ],
    )
    return path


def texts(browser, selector):
    code = f"[...document.querySelectorAll({selector!r})].map(e => e.textContent)"
    return browser.run(code)


def search(browser, text):
    browser.run(
        "(box => { box.value = "
        + repr(text)
        + "; box.dispatchEvent(new Event('input'))"
        " })(document.querySelector('input[type=search]'))"
    )
    browser.run(SETTLED)
    return texts(browser, "#found")[0]


def press(browser, selector, text):
    browser.run(
        f"[...document.querySelectorAll({selector!r})]"
        f".find(e => e.textContent.startsWith({text!r})).click()"
    )


def test_all_parts_are_drawn(browser, page):
    browser.open(page)
    rows = texts(browser, "#summary tbody tr")
    assert len(rows) == 3
    assert rows[0].startswith("devgreedy10.00")
    assert "beam is better by 6.67 % WER absolute" in texts(browser, "#comparison")[0]
    # Duration, rate, words, speakers and the difference by speaker.
    assert len(texts(browser, "#plots svg")) == 5
    words = texts(browser, "#words tbody tr")
    assert words == ["cat → hat3010\u221220", "well3010\u221220", "oh3010\u221220"]
    assert len(texts(browser, "#utterances tbody tr")) == 25
    assert browser.troubles() == []


def test_alignments_are_coloured(browser, page):
    browser.open(page)
    assert search(browser, "w3") == "11 of 90 utterances"  # w3 and w30 to w39
    assert search(browser, "u000003") == "1 of 90 utterances"
    line = "#utterances .words:first-child"
    assert texts(browser, f"{line} ins") == ["oh"]
    assert texts(browser, f"{line} del") == ["well"]
    assert texts(browser, f"{line} .sub") == ["cat hat"]
    spaced = " ".join(texts(browser, line)[0].split())
    assert spaced == "greedy: oh the cat hat sat on a mat and slept well w3"
    assert texts(browser, "#utterances .words:last-child del") == []


def test_search_finds_hypotheses_and_speakers(browser, page):
    browser.open(page)
    assert search(browser, "OH THE HAT SAT") == "30 of 90 utterances"
    assert search(browser, "s4") == "13 of 90 utterances"
    assert search(browser, "nothing like it") == "0 of 90 utterances"
    assert texts(browser, "#utterances")[0] == "Nothing matches."


def test_sorting_and_pages(browser, page):
    browser.open(page)
    press(browser, "#utterances th button", "Utterance")
    ids = texts(browser, "#utterances td.id")
    assert ids[0] == "u000000s0"
    assert ids[24] == "u000024s3"
    press(browser, "#pages button", "Last")
    assert texts(browser, "#utterances td.id")[-1] == "u000089s5"
    press(browser, "#utterances th button", "Utterance")
    assert texts(browser, "#utterances td.id")[0] == "u000089s5"
    press(browser, "#utterances th button", "greedy")
    errors = texts(browser, "#utterances td[data-label='Errors, greedy']")
    assert errors[0] == "3"
    press(browser, "#utterances th button", "Change")
    change = texts(browser, "#utterances td[data-label='Change']")
    assert change[0] == "0"  # the greatest: B is worse nowhere
    press(browser, "#utterances th button", "Change")
    assert texts(browser, "#utterances td[data-label='Change']")[0] == "\u22123"


def test_filters(browser, page):
    browser.open(page)

    def show(name):
        browser.run(
            "(box => { box.value = " + repr(name) + "; box.dispatchEvent(new Event("
            "'change')) })(document.querySelectorAll('#tools select')[0])"
        )
        return texts(browser, "#found")[0]

    assert show("wrong") == "30 of 90 utterances"
    assert show("better") == "20 of 90 utterances"
    assert show("worse") == "0 of 90 utterances"
    assert show("empty") == "0 of 90 utterances"
    assert show("all") == "90 of 90 utterances"
    press(browser, "#words button", "cat → hat")
    assert texts(browser, "#found")[0] == "30 of 90 utterances"
    press(browser, ".chip", "cat → hat")
    assert texts(browser, "#found")[0] == "90 of 90 utterances"


def test_another_set(browser, page):
    browser.open(page)
    press(browser, "#summary button", "test")
    assert browser.run("document.getElementById('comparison').hidden")
    assert len(texts(browser, "#plots svg")) == 4
    assert texts(browser, "#words tbody tr")[0] == "cat → hat10"
    assert browser.troubles() == []


def test_nothing_sticks_out_on_a_phone(browser, page):
    size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    browser.call("Emulation.setDeviceMetricsOverride", **size)
    browser.open(page)
    assert browser.run("document.documentElement.scrollWidth") == 360
    browser.call("Emulation.clearDeviceMetricsOverride")


def test_nasty_texts_stay_texts(browser, tmp_path):
    path = tmp_path / "report.html"
    nasty = [
        Hypothesis(f"{word} {i}", [word, "x"], ["x", word], word, 1.0)
        for i, word in enumerate(NASTY)
    ]
    write_html_report(path, [Decoded(NASTY[0], NASTY[2], score(nasty))], title=NASTY[0])
    browser.open(path)
    assert texts(browser, "h1") == [NASTY[0]]
    assert texts(browser, "#summary button") == [NASTY[0]]
    assert len(texts(browser, "#utterances tbody tr")) == len(NASTY)
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert browser.troubles() == []


def test_a_hundred_thousand_utterances(browser, tmp_path):
    path = tmp_path / "report.html"
    versus = Decoded("big", "beam", some_set(100_000, every=20))
    big = Decoded("big", "greedy", some_set(100_000, every=10), versus=versus)
    write_html_report(path, [big])
    assert path.stat().st_size < 20e6
    browser.open(path)
    assert browser.run("document.getElementsByTagName('*').length") < 5000
    assert search(browser, "w99999") == "1 of 100,000 utterances"
    # Seconds on a fast machine are a tenth of this.
    assert (
        browser.run(
            "performance.timing.loadEventEnd - performance.timing.navigationStart"
        )
        < 20_000
    )
