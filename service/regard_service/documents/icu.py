"""ICU messages (MessageFormat): the texts in the branches of plurals and selections.

After the ICU User Guide, "Formatting Messages": an apostrophe quotes only before a brace, and two are one.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from regard_service.documents.inline import (
    BrokenTags,
    Piece,
    Tag,
    Text,
    Translated,
    is_worded,
    merged,
    read_translation,
    trimmed,
)
from regard_service.domain.results import Span

_COMPLEX = re.compile(r"\{\s*+[^\s{},']++\s*+,\s*+(?:plural|select|selectordinal)\s*+,")
_HEAD = re.compile(r"\{\s*+([^\s{},']++)\s*+(?:,\s*+(\w++)\s*+(,)?)?")
_SELECTOR = re.compile(r"\s*+(?:offset:\s*+\d++\s*+)?(=\d++|[^\s{}'#]++)\s*+\{")
_SIMPLE = re.compile(r"\{\s*+[^\s{},']++\s*+\}")
_BRACES = re.compile(r"\{[^{}]*+\}|[{}]")
_SPECIAL = re.compile(r"[{}'#]")
_QUOTED = re.compile(r"'(?:[^']++|'')*+'?")
_APOSTROPHE = re.compile(r"'(?=[{}#|'])")
_MAX_DEPTH = 16


class _NoMessage(ValueError):
    """The text is not an ICU message."""


@dataclass(frozen=True)
class Leaf:
    """A text within a message, without branches of its own.

    Attributes:
        span: its place in the message.
        branch: the selectors that lead to it, such as "one".
        number: the argument that "#" stands for; "" outside of plurals.
    """

    span: Span
    pieces: tuple[Piece, ...]
    branch: str
    number: str

    def write(self, translation: str) -> str:
        """Returns a translation as the message has it. Raises BrokenTags if its arguments are not the source's."""
        pieces = read_translation(translation, self.pieces)
        if _arguments(pieces) != _arguments([each.text if isinstance(each, Text) else each for each in self.pieces]):
            raise BrokenTags("the translation has not the arguments of the message")
        return "".join(piece.target if isinstance(piece, Tag) else self._escaped(piece) for piece in pieces)

    def _escaped(self, text: str) -> str:
        text = _APOSTROPHE.sub("''", text)
        return text.replace(f"{{{self.number}}}", "#") if self.number else text


def _arguments(pieces: Sequence[Translated]) -> Counter[str]:
    return Counter(each for piece in pieces if isinstance(piece, str) for each in _BRACES.findall(piece))


def is_complex(text: str) -> bool:
    """Whether a text is a message with a plural or a selection."""
    return _COMPLEX.search(text) is not None and message_leaves(text) is not None


def message_leaves(text: str) -> list[Leaf] | None:
    """Returns the texts of a message that have words, in order; None if it is no message."""
    try:
        reader = _Reader(text)
        end = reader.message(0, "", "", 0)
        if end != len(text):
            return None
    except _NoMessage:
        return None
    return [leaf for leaf in reader.leaves if is_worded(leaf.pieces)]


class _Reader:
    """Reads a message by recursive descent."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.leaves: list[Leaf] = []

    def message(self, start: int, branch: str, number: str, depth: int) -> int:
        """Reads a message up to the brace that closes it, or to the end; returns where."""
        if depth > _MAX_DEPTH:
            raise _NoMessage
        pieces: list[Piece] = []
        position = leaf_start = start
        while (special := _SPECIAL.search(self._text, position)) is not None:
            self._add_text(pieces, position, special.start())
            position = special.start()
            if special[0] == "}":
                break
            if (head := self._complex(position)) is not None:
                self._leaf(leaf_start, pieces, branch, number)
                position = leaf_start = self._branches(head, branch, depth)
                pieces = []
            else:
                position = self._piece(position, pieces, number)
        else:
            self._add_text(pieces, position, len(self._text))
            position = len(self._text)
        self._leaf(leaf_start, pieces, branch, number)
        return position

    def _add_text(self, pieces: list[Piece], start: int, end: int) -> None:
        if start < end:
            pieces.append(Text(self._text[start:end], self._text[start:end]))

    def _leaf(self, start: int, pieces: list[Piece], branch: str, number: str) -> None:
        inner, first, last, *_ = trimmed(merged(pieces))
        if inner:
            self.leaves.append(Leaf(Span(start + first, start + last), inner, branch, number))

    def _complex(self, position: int) -> "re.Match[str] | None":
        return _COMPLEX.match(self._text, position)

    def _branches(self, head: "re.Match[str]", branch: str, depth: int) -> int:
        """Reads the branches of a plural or selection; returns the position behind its brace."""
        name, kind = _HEAD.match(head[0]).group(1, 2)  # type: ignore[union-attr]  # a complex head is a head
        position, count = head.end(), 0
        while (selector := _SELECTOR.match(self._text, position)) is not None:
            number = name if kind != "select" else ""
            position = self.message(selector.end(), f"{branch} {selector[1]}".strip(), number, depth + 1)
            if self._text[position : position + 1] != "}":
                raise _NoMessage
            position, count = position + 1, count + 1
        end = len(self._text) - len(self._text[position:].lstrip())
        if not count or self._text[end : end + 1] != "}":
            raise _NoMessage
        return end + 1

    def _piece(self, position: int, pieces: list[Piece], number: str) -> int:
        """Reads an argument, a number sign or an apostrophe; returns the position behind it."""
        character = self._text[position]
        if character == "#":
            pieces.append(Text(f"{{{number}}}" if number else "#", "#"))
            return position + 1
        if character == "'":
            return self._apostrophe(position, pieces)
        simple = _SIMPLE.match(self._text, position)
        end = simple.end() if simple else self._text.find("}", position) + 1
        head = _HEAD.match(self._text, position)
        if end == 0 or head is None or "{" in self._text[position + 1 : end]:
            raise _NoMessage
        source = self._text[position:end]
        pieces.append(Text(source, source) if simple else Tag("alone", position + 1, source))
        return end

    def _apostrophe(self, position: int, pieces: list[Piece]) -> int:
        following = self._text[position + 1 : position + 2]
        if following == "'":
            pieces.append(Text("'", "''"))
            return position + 2
        if following and following in "{}#|":
            quoted = _QUOTED.match(self._text, position)
            end = quoted.end() if quoted else position + 1
            pieces.append(Tag("alone", position + 1, self._text[position:end]))
            return end
        pieces.append(Text("'", "'"))
        return position + 1
