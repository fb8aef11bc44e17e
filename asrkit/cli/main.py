"""What every command shares: how it ends."""

import sys
from collections.abc import Callable
from typing import NoReturn

from asrkit.utils.errors import InputError
from asrkit.utils.mask import mask

BAD_INPUT = 2
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


def run(main: Callable[[], int]) -> NoReturn:
    """Run a command and end the process with its exit status.

    Bad input ends it with one line instead of a traceback.
    """
    try:
        status = main()
    except InputError as error:
        # torch puts a worker's traceback before the message; that is for the log.
        message = str(error).rsplit("InputError: ", maxsplit=1)[-1].rstrip()
        print(f"error: {mask(message)}", file=sys.stderr)
        status = BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = INTERRUPTED
    sys.exit(status)
