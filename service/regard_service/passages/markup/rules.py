"""What HTML and XML say about an element: whether it is a block, kept, to be translated."""

import re
from collections.abc import Sequence
from html import unescape
from typing import Protocol

from regard_service.domain.elements import NO_RULES, ElementRules
from regard_service.domain.results import Span
from regard_service.passages.markup.elements import BLOCKS, KEPT, XML_KEPT, translated_attributes
from regard_service.passages.markup.tokens import MarkupToken, TokenKind

# What stands raised behind a word and is no part of it: 1, [12], a, *, 2,3.
_REFERENCE = re.compile(
    r"[\[(]?(?:[-\u2212+]?[0-9]{1,4}(?:[,;\u2013-] ?[0-9]{1,4}){0,5}|[a-z]|[*\u2020\u2021\u00a7#]{1,3})[\])]?"
)
_MAX_REFERENCE, _MAX_REFERENCE_TOKENS = 40, 16


class Rules(Protocol):
    """What a format says about elements."""

    def is_block(self, index: int) -> bool:
        """Whether running text ends at the tag that is token `index`."""

    def separates(self, name: str) -> bool:
        """Whether words end at an element's tags, even where running text goes on."""

    def is_kept(self, name: str) -> bool:
        """Whether an element's contents are nobody's sentences."""

    def is_reference(self, index: int) -> bool:
        """Whether the start tag that is token `index` begins a raised mark, such as that of a footnote."""

    def translation(self, token: MarkupToken) -> bool | None:
        """Returns what a start tag says about translation; None where it says nothing."""

    def space(self, token: MarkupToken) -> bool | None:
        """Returns whether a start tag says that white space has a meaning; None where it says nothing."""

    def attributes(self, token: MarkupToken) -> Sequence[Span]:
        """Returns the places of the attributes' values that people read."""


class HtmlRules:
    """The elements of HTML, and what a caller says about them."""

    def __init__(self, source: str, tokens: Sequence[MarkupToken], elements: ElementRules = NO_RULES) -> None:
        self._source = source
        self._tokens = tokens
        self._elements = elements

    def is_block(self, index: int) -> bool:
        name = self._tokens[index].name
        said = self._elements.is_block(name)
        return name in BLOCKS if said is None else said

    def separates(self, name: str) -> bool:
        return name in BLOCKS

    def is_kept(self, name: str) -> bool:
        return name in KEPT

    def is_reference(self, index: int) -> bool:
        if self._tokens[index].name != "sup" or self._tokens[index].kind is not TokenKind.OPEN:
            return False
        text = ""
        for token in self._tokens[index + 1 : index + _MAX_REFERENCE_TOKENS]:
            if token.kind is TokenKind.CLOSE and token.name == "sup":
                return _REFERENCE.fullmatch(text.strip()) is not None
            if token.kind is TokenKind.TEXT:
                text += unescape(self._source[slice(*token.span)][:_MAX_REFERENCE])
        return False

    def translation(self, token: MarkupToken) -> bool | None:
        if token.name in self._elements.ignored:
            return False
        values = token.attributes or {}
        if "class" in values and "notranslate" in self._value(values["class"]).split():
            return False
        said = self._value(values["translate"]).lower() if "translate" in values else None
        return {"no": False, "yes": True, "": True}.get(said) if said is not None else None

    def space(self, token: MarkupToken) -> bool | None:
        return None  # a text whose white space has a meaning is kept

    def attributes(self, token: MarkupToken) -> Sequence[Span]:
        if not (places := token.attributes):
            return ()
        values = {name: self._value(span) for name, span in places.items()}
        return [places[name] for name in translated_attributes(token.name, values) if values[name].strip()]

    def _value(self, span: Span) -> str:
        return unescape(self._source[slice(*span)])


class XmlRules:
    """The elements of a vocabulary that nobody has told.

    An element that stands in a text is part of the sentence, as is all in it; an element among elements is a block. The
    names of HTML's blocks are blocks everywhere. What a caller says about an element goes before both.
    """

    def __init__(self, source: str, tokens: Sequence[MarkupToken], elements: ElementRules = NO_RULES) -> None:
        self._tokens = tokens
        self._elements = elements
        self._inline = _inline(source, tokens, elements)

    def is_block(self, index: int) -> bool:
        name = self._tokens[index].name
        said = self._elements.is_block(name)
        return (name.rpartition(":")[2] in BLOCKS or index not in self._inline) if said is None else said

    def separates(self, name: str) -> bool:
        return name.rpartition(":")[2] in BLOCKS

    def is_kept(self, name: str) -> bool:
        return name.rpartition(":")[2] in XML_KEPT

    def is_reference(self, index: int) -> bool:
        return False

    def translation(self, token: MarkupToken) -> bool | None:
        if token.name in self._elements.ignored:
            return False
        values = token.values or {}
        said = values.get("its:translate", values.get("translate", ""))
        return {"no": False, "yes": True}.get(said)

    def space(self, token: MarkupToken) -> bool | None:
        return {"preserve": True, "default": False}.get((token.values or {}).get("xml:space", ""))

    def attributes(self, token: MarkupToken) -> Sequence[Span]:
        return ()


def _inline(source: str, tokens: Sequence[MarkupToken], elements: ElementRules) -> set[int]:
    """Returns the indexes of the start tags of elements that stand in a text."""
    parents, stack = dict[int, int](), [-1]
    with_text = set[int]()
    for index, token in enumerate(tokens):
        if token.kind in (TokenKind.OPEN, TokenKind.EMPTY):
            parents[index] = stack[-1]
            if token.kind is TokenKind.OPEN:
                stack.append(index)
        elif token.kind is TokenKind.CLOSE:
            stack.pop()
        elif token.kind is TokenKind.VERBATIM or (
            token.kind is TokenKind.TEXT and not source[slice(*token.span)].isspace()
        ):
            with_text.add(stack[-1])
    inline = set[int]()
    for index, parent in parents.items():  # parents come before their children
        said = elements.is_block(tokens[index].name)
        if (parent in with_text or parent in inline) if said is None else not said:
            inline.add(index)
    return inline
