"""The training of a language model over the recognizer's tokens, as data."""

from dataclasses import dataclass, field

from asrkit.models.lm.language_model import LanguageModelConfig
from asrkit.training.optimizers.optim import OptimConfig
from asrkit.training.optimizers.schedule import ScheduleConfig
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class LmConfig:
    """A language model, its text and its training."""

    name: str = "lm"
    """Its folder is exp_dir/lm_NAME."""
    model: LanguageModelConfig
    """Network."""
    optim: OptimConfig
    """Optimizer."""
    schedule: ScheduleConfig
    """Learning rate over time."""
    text: list[str] = field(default_factory=list)
    """Text files, a sentence a line; .gz is unpacked, of .jsonl.gz (a manifest) the
    transcripts are taken."""
    transcripts: bool = True
    """Learn from the transcripts of data.train, too."""
    max_sentence: int = 1000
    """Sentences of more tokens are left out."""
    max_tokens: int = 1000
    """Most tokens in a batch of one process, padding included."""
    num_epochs: float = 20.0
    """Length, passes over the text."""
    num_updates: int | None = None
    """Stop after so many updates instead."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_range(self, "lm", "max_sentence", "max_tokens", "num_updates", least=1)
        check_range(self, "lm", "num_epochs", above=0)
        if not self.text and not self.transcripts:
            raise ValueError("lm.text is empty and lm.transcripts=false: no text left")
