"""What is done to texts before their marks are read: a glm's rules, then their case."""

from dataclasses import dataclass

from asrkit.decoding.scoring.sclite.glm import GlobalMapping
from asrkit.decoding.scoring.sclite.words import Text, fold, parse_text


@dataclass(frozen=True)
class Preparation:
    """The same for all texts of one side."""

    keep_case: bool = False
    glm: GlobalMapping | None = None

    def name(self, text: str) -> str:
        """Return a name as it is compared: sclite's lines are in lower case whole."""
        return text if self.keep_case else fold(text)

    def text(self, text: str, where: str) -> Text:
        """Return a transcript's tokens and alternatives.

        Args:
            text: With sclite's marks.
            where: File and line, for messages.

        Raises:
            InputError: Braces or parentheses do not match.
        """
        if self.glm is not None:
            text = self.glm.apply(text, where)
            where += ", as the glm has it"
        return parse_text(self.name(text), where)

    def word(self, word: str, where: str) -> Text:
        """Return what a word of a ctm becomes: none, one, several or alternatives.

        Raises:
            InputError: A rule made braces or parentheses that do not match.
        """
        # There, braces are letters unless a glm brings alternatives.
        return [self.name(word)] if self.glm is None else self.text(word, where)
