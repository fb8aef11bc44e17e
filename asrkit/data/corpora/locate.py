"""Files that a list names without saying relative to which folder."""

import os
from pathlib import Path


class Locator:
    """Finds the files of a list.

    Kaldi, ESPnet and WeNet name files relative to where their recipe runs, others
    relative to the list. A name is looked for from the list's folder upwards, then from
    where the user stands; where the first one is found, there are all of them.

    Args:
        start: The list's folder.
    """

    def __init__(self, start: Path) -> None:
        start = start.resolve()
        # Strings: for 100,000 names that are nowhere, paths would take a minute.
        self._places = [*map(str, (start, *start.parents)), str(Path.cwd())]
        self._base: str | None = None

    def __call__(self, name: str) -> Path:
        """Return the absolute path; of a file that is nowhere, one beside the list."""
        if name.startswith("/"):
            return Path(name)
        if self._base is None:
            found = (p for p in self._places if os.path.exists(f"{p}/{name}"))
            self._base = next(found, None)
        return Path(self._base or self._places[0], name)
