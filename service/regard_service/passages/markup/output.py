"""Text as it is written, from a source of which some ranges are replaced."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from regard_service.domain.results import Span


@dataclass
class Replacement:
    """A range of the source and what is written instead.

    Attributes:
        target_start: where it stands in the output, once it is written.
    """

    span: Span
    text: str
    target_start: int = 0


@dataclass
class Output:
    """The output so far.

    Attributes:
        replacements: in order, without overlap.
        length: of the text so far.
        last: the last character.
    """

    source: str
    replacements: Sequence[Replacement] = ()
    length: int = 0
    last: str = ""
    _parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self._parts)

    def write(self, text: str) -> None:
        """Appends a text."""
        if text:
            self._parts.append(text)
            self.length += len(text)
            self.last = text[-1]

    def copy(self, span: Span) -> None:
        """Appends a range of the source, which cuts no replacement."""
        position = span.start
        index = bisect_left(self.replacements, span.start, key=lambda replacement: replacement.span.start)
        while index < len(self.replacements) and (replacement := self.replacements[index]).span.start < span.end:
            self.write(self.source[position : replacement.span.start])
            replacement.target_start = self.length
            self.write(replacement.text)
            position = replacement.span.end
            index += 1
        self.write(self.source[position : span.end])
