"""A text under replacements by regular expressions, with the place of each character in the original."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Rule:
    """A replacement.

    Attributes:
        pattern: what is replaced. A match in which one of the groups has no part stays as it is.
        parts: in its place: a number is a group, which keeps its origin. Strings, and groups that change their places,
            which are negative numbers, stand for all that was matched between the former.
    """

    pattern: re.Pattern[str]
    parts: tuple[int | str, ...]

    @cached_property
    def following(self) -> tuple[int, ...]:
        """For each part, the next group behind it that keeps its origin; 0 if there is none."""
        kept = [part if isinstance(part, int) and part > 0 else 0 for part in self.parts]
        return tuple(next(filter(None, kept[index + 1 :]), 0) for index in range(len(kept)))


def rule(pattern: str, *parts: int | str) -> Rule:
    """Returns a rule of a pattern that is not compiled yet."""
    return Rule(re.compile(pattern), parts)


@dataclass(frozen=True)
class TracedText:
    """A text made from another.

    Attributes:
        starts, ends: for each character, the range of the original that it stands for.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def unchanged(cls, text: str) -> "TracedText":
        """Returns a text that stands for itself."""
        return cls(text, range(len(text)), range(1, len(text) + 1))

    def __getitem__(self, part: slice) -> "TracedText":
        return TracedText(self.text[part], self.starts[part], self.ends[part])

    def replaced(self, rule: Rule) -> "TracedText":
        """Replaces each match, from left to right."""
        made = _Made(self)
        for match in rule.pattern.finditer(self.text):
            if None in match.groups():
                continue
            made.keep(made.end, match.start())
            for part, following in zip(rule.parts, rule.following, strict=True):
                if isinstance(part, int) and part > 0:
                    made.keep(*match.span(part))
                else:
                    behind = match.start(following) if following else match.end()
                    made.insert(match[-part] if isinstance(part, int) else part, behind)
            made.end = match.end()
        if not made.texts:
            return self
        made.keep(made.end, len(self.text))
        return TracedText("".join(made.texts), made.starts, made.ends)

    def stripped(self) -> "TracedText":
        """Returns the text without white space at its ends."""
        start = len(self.text) - len(self.text.lstrip())
        return self[start : max(start, len(self.text.rstrip()))]

    def words(self) -> list["TracedText"]:
        """Returns what stands between white space."""
        return [self[match.start() : match.end()] for match in _WORD.finditer(self.text)]


class _Made:
    """What replacements made of a text so far. Attributes: end: of what they have seen of it."""

    def __init__(self, text: TracedText) -> None:
        self._text, self.end = text, 0
        self.texts: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def keep(self, start: int, end: int) -> None:
        """Appends a part of the text."""
        self.texts.append(self._text.text[start:end])
        self.starts += self._text.starts[start:end]
        self.ends += self._text.ends[start:end]
        self.end = end

    def insert(self, new: str, behind: int) -> None:
        """Appends a text that stands for all from the last part to a position."""
        start, end = (self._text.starts[self.end], self._text.ends[behind - 1]) if self.end < behind else (0, 0)
        self.texts.append(new)
        self.starts += [start] * len(new)
        self.ends += [end] * len(new)
