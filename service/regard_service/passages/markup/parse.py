"""Tokens into units."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from regard_service.domain.elements import NO_RULES, ElementRules
from regard_service.domain.results import Span
from regard_service.passages.markup.elements import SHOWN
from regard_service.passages.markup.entities import MarkupFormat
from regard_service.passages.markup.html import html_tokens
from regard_service.passages.markup.rules import HtmlRules, Rules, XmlRules
from regard_service.passages.markup.runs import Run
from regard_service.passages.markup.scope import OpenElement, OpenElements
from regard_service.passages.markup.tokens import MarkupToken, TokenKind
from regard_service.passages.markup.units import MarkedText, PieceKind, Unit
from regard_service.passages.markup.xml import xml_tokens


def parse(source: str, markup: MarkupFormat, elements: ElementRules = NO_RULES) -> MarkedText:
    """Finds the running texts of a page, a document or a fragment.

    Takes time and memory in proportion to the source, whatever it is.

    Args:
        elements: what the caller says about elements.

    Raises:
        MarkupError: XML that is not well-formed; the message names the line, the column and the fault.
    """
    if markup == "html":
        tokens = html_tokens(source)
        walk = _Walk(source, tokens, HtmlRules(source, tokens, elements), markup)
    else:
        tokens = xml_tokens(source)
        walk = _Walk(source, tokens, XmlRules(source, tokens, elements), markup)
    return MarkedText(source, sorted(walk.units(), key=lambda unit: unit.span))


@dataclass(slots=True)
class _Region:
    """An element in the middle of a running text that is kept.

    Attributes:
        first: the index of its start tag.
        shows: whether its text is read with the sentence.
        is_inline: false once it holds a block.
    """

    element: OpenElement
    first: int
    shows: bool
    is_inline: bool = True


class _Walk:
    """Walks over tokens, and cuts runs of text where blocks start and end."""

    def __init__(self, source: str, tokens: Sequence[MarkupToken], rules: Rules, markup: MarkupFormat) -> None:
        self._source = source
        self._tokens = tokens
        self._rules = rules
        self._markup = markup
        self._open = OpenElements()
        self._run = Run()
        self._region: _Region | None = None

    def units(self) -> Iterator[Unit]:
        """Yields the units; those of attributes before the text around them."""
        for index, token in enumerate(self._tokens):
            if token.kind in (TokenKind.OPEN, TokenKind.EMPTY):
                yield from self._start(index, token)
            elif token.kind is TokenKind.CLOSE:
                yield from self._end(index, token)
            elif self._region is None:
                yield from self._content(token)
        yield from self._end_region(len(self._tokens))
        yield from self._cut()

    def _content(self, token: MarkupToken) -> Iterator[Unit]:
        """Adds text, or what is kept in it."""
        if not self._is_translated():
            yield from self._cut()
        elif token.kind is TokenKind.TEXT:
            self._run.add_text(self._source, token.span, self._markup, keeps_space=self._keeps_space())
        else:
            self._keep(token.span, token.name)

    def _start(self, index: int, token: MarkupToken) -> Iterator[Unit]:
        if self._markup == "html":
            yield from self._ended(self._open.close_before(token.name), index)
        element, is_read = self._element(index, token)
        if self._region is not None:
            self._region.is_inline &= not element.is_block
        else:
            yield from self._add_start(index, token, element, is_read)
        if token.kind is TokenKind.OPEN:
            self._open.open(element)

    def _element(self, index: int, token: MarkupToken) -> tuple[OpenElement, bool]:
        """Returns a start tag's element, and whether its attributes are to be translated."""
        said = self._rules.translation(token)
        is_read = self._is_translated() if said is None else said
        keeps_space = self._rules.space(token)
        element = OpenElement(
            token.name,
            index,
            is_block=self._rules.is_block(index),
            is_translated=is_read and not (self._rules.is_kept(token.name) or self._rules.is_reference(index)),
            keeps_space=self._keeps_space() if keeps_space is None else keeps_space,
        )
        return element, is_read

    def _add_start(self, index: int, token: MarkupToken, element: OpenElement, is_read: bool) -> Iterator[Unit]:
        """Adds a start tag to the run, or ends the run, or starts what is kept."""
        if is_read:
            yield from self._attributes(token)
        if element.is_block or not self._is_translated():
            yield from self._cut()
        if element.is_block:
            return
        if self._rules.separates(token.name):
            self._run.add_blank(token.span.start)
        if element.is_translated or token.kind is TokenKind.EMPTY:
            self._run.add_tag(token.span, index)
        elif self._is_translated():
            is_read = not (self._rules.is_kept(token.name) or self._rules.is_reference(index))
            self._region = _Region(element, index, token.name in SHOWN or is_read)

    def _end(self, index: int, token: MarkupToken) -> Iterator[Unit]:
        closed = self._open.close(token.name)
        if self._region is not None:
            yield from self._ended(closed, index + 1)
        elif closed[-1].is_block if closed else self._rules.is_block(index):
            yield from self._cut()
        else:
            self._run.add_end_tag(token.span, closed[-1].token if closed else None)
            if self._rules.separates(token.name):
                self._run.add_blank(token.span.end)

    def _ended(self, closed: Sequence[OpenElement], end: int) -> Iterator[Unit]:
        """Ends what is kept if its element is among those closed before token `end`."""
        if self._region is not None and any(element is self._region.element for element in closed):
            yield from self._end_region(end)

    def _end_region(self, end: int) -> Iterator[Unit]:
        region, self._region = self._region, None
        if region is None:
            return
        if not region.is_inline:
            yield from self._cut()
            return
        tokens = self._tokens[region.first : end]
        shown = Run()
        for token in tokens if region.shows else ():
            if token.kind is TokenKind.TEXT:
                shown.add_text(self._source, token.span, self._markup)
        self._keep(Span(tokens[0].span.start, tokens[-1].span.end), "".join(piece.text for piece in shown.pieces))

    def _keep(self, span: Span, text: str) -> None:
        """Adds what is kept, with the text that is read of it."""
        text = " ".join(text.split())
        self._run.add(PieceKind.PROTECTED if text else PieceKind.POINT, text, span)

    def _cut(self) -> Iterator[Unit]:
        """Ends the running text."""
        pieces, self._run = self._run.trimmed(), Run()
        if pieces:
            yield Unit(tuple(pieces), self._markup)

    def _attributes(self, token: MarkupToken) -> Iterator[Unit]:
        for span in self._rules.attributes(token):
            run = Run()
            run.add_text(self._source, span, self._markup)
            before = self._source[span.start - 1]
            if pieces := run.trimmed():
                yield Unit(tuple(pieces), self._markup, quote=before if before in "'\"" else "")

    def _is_translated(self) -> bool:
        return self._open.last is None or self._open.last.is_translated

    def _keeps_space(self) -> bool:
        return self._open.last is not None and self._open.last.keeps_space
