"""What reaches the console and the log files: no secret does."""

import logging
import sys

import pytest

from asrkit.cli.logs import MaskedStream, note_failure, show_error, start_logging
from asrkit.cli.main import run
from asrkit.utils.errors import InputError

SECRET = "0123-4567-89ab"
URL = f"https://me:{SECRET}@host/a?sig={SECRET}"
SHOWN = "https://***@host/a?***"


def test_lines_and_tracebacks(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SOME_TOKEN", SECRET)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # to have it set back
    start_logging(tmp_path, "test")
    logging.getLogger("asrkit").info("reading %s with %s", URL, SECRET)
    try:
        raise RuntimeError(f"no {URL}")
    except RuntimeError as error:
        note_failure(error)
        sys.excepthook(type(error), error, error.__traceback__)
    (path,) = tmp_path.glob("test-*.log")
    kept, shown = path.read_text(), capsys.readouterr().err
    assert sys.excepthook is show_error
    for text in (kept, shown):
        assert f"reading {SHOWN} with ***" in text
        assert f"RuntimeError: no {SHOWN}" in text
        assert "Traceback" in text
        assert SECRET not in text


def test_the_last_line_of_a_command(capsys):
    def main():
        raise InputError(f"no file {URL}; make one")

    with pytest.raises(SystemExit):
        run(main)
    assert capsys.readouterr().err == f"error: no file {SHOWN}; make one\n"


def test_what_others_print(capsys):
    stream = MaskedStream(sys.stderr)
    print("overrides:", [URL], file=stream, flush=True)
    assert capsys.readouterr().err == f"overrides: ['{SHOWN}']\n"
