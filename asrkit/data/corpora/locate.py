"""Files that a list names without saying relative to which folder."""

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
        self.start = start.resolve()
        self.base: Path | None = None

    def __call__(self, name: str) -> Path:
        """Return the absolute path; of a file that is nowhere, one beside the list."""
        if name.startswith("/"):
            return Path(name)
        if self.base is None:
            places = (self.start, *self.start.parents, Path.cwd())
            self.base = next((p for p in places if (p / name).exists()), None)
        return (self.base or self.start) / name
