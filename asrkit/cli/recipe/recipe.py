"""What a recipe knows of its corpora."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lhotse import CutSet

from asrkit.data.corpora.folder import Source, find_sources
from asrkit.data.left_out import LeftOut


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus that a recipe gets by itself."""

    fetch: Callable[[Path, int | None], object]
    """Puts the recordings into a folder, unless they are there; None: a job a CPU."""
    below: str = "."
    """Where in that folder the parts are."""
    train: Sequence[str] = ()
    """Parts to train on; none given: those whose names begin with train; so below."""
    dev: Sequence[str] = ()
    """Parts to choose checkpoints by."""
    test: Sequence[str] = ()
    """Parts to report on."""
    experiment: str = ""
    """File of conf/experiment; empty: by the hours of audio."""
    lexicon: Callable[[Path], Path] | None = None
    """Puts a pronunciation lexicon into a folder; None: espeak-ng makes one."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What stands in a recipe's prepare.py; `asrkit.cli.recipe.prepare` acts on it."""

    name: str
    """Begins the names of the manifests."""
    corpora: Mapping[str, Corpus] = field(default_factory=dict)
    """By what --corpus calls them, the default first. Any other name is a folder."""
    layout: str = "LibriSpeech layout, or in any other that prepare.py reads"
    """What a folder has to be in."""
    find_sources: Callable[[Path], Mapping[str, Source]] = find_sources
    """Finds what the parts in a folder are read from; not called with `find_parts`."""
    find_parts: Callable[[Path], list[str]] | None = None
    """Lists the parts in a folder, each in a folder of its name."""
    prepare_part: Callable[..., tuple[CutSet, list[LeftOut]]] | None = None
    """(folder, part, jobs=None) -> the part's cuts, and what was left out; goes with
    `find_parts`."""
    beside: Callable[[Path, Path], Iterable[str]] | None = None
    """Makes what a corpus has beside its parts, ref.stm and ref.glm to score by, text
    for language models: (folder of the parts, folder of the manifests) -> lines that
    say what."""
    experiments: Sequence[tuple[float, str]] = ()
    """Hours of training audio below which to take a file of conf/experiment, ascending;
    empty: the defaults of conf/."""
    lm_text: Callable[[Path], Path] | None = None
    """Puts text for language models into a folder."""

    def work_dir(self, name: str, data_dir: Path) -> Path:
        """Return where all that is made of a corpus goes."""
        # A folder called as a corpus is meant only when written as a path: ./demo
        return data_dir / (name if name in self.corpora else Path(name).resolve().name)

    def corpus_dir(self, name: str, data_dir: Path) -> Path:
        """Return the folder that holds the parts."""
        corpus = self.corpora.get(name)
        if corpus is None:
            return Path(name)
        return self.work_dir(name, data_dir) / "corpus" / corpus.below
