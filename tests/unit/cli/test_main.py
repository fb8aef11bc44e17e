"""How commands end."""

import pytest

from asrkit.cli.main import run
from asrkit.utils.errors import InputError


@pytest.mark.parametrize(
    ("outcome", "status", "message"),
    [
        (0, 0, ""),
        (1, 1, ""),
        (InputError("no file x; make one"), 2, "error: no file x; make one\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_exit_status(outcome, status, message, capsys):
    def main() -> int:
        if isinstance(outcome, int):
            return outcome
        raise outcome

    with pytest.raises(SystemExit) as stop:
        run(main)
    assert stop.value.code == status
    assert capsys.readouterr().err == message


def test_other_errors_keep_their_traceback():
    def main() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main)
