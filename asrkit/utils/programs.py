"""Programs that come with packages."""

import shutil
import sys
from pathlib import Path


def find_program(name: str) -> Path:
    """Return what starts a program in the user's shell.

    That is its name where the shell finds it, or else its path beside this Python.
    """
    beside = Path(sys.executable).with_name(name)
    return Path(name) if shutil.which(name) or not beside.is_file() else beside
