"""XML into tokens, or the place of its first fault.

Expat reads the text: it checks that it is well-formed, and tells the place of each token in bytes. With a default
handler it expands no entity in content and reads no other file: "billion laughs" and external entities do nothing. In
an attribute's value Expat itself bounds how much entities may expand to.
"""

from collections.abc import Iterator
from typing import NamedTuple
from xml.parsers import expat

from regard_service.domain.results import Span
from regard_service.passages.markup.elements import XML_ATTRIBUTES
from regard_service.passages.markup.tokens import MarkupError, MarkupToken, TokenKind

_ROOT = "regard-fragment"


def xml_tokens(text: str) -> list[MarkupToken]:
    """Returns the tokens of a document or of a fragment: text and elements, with any number of roots.

    Raises:
        MarkupError: it is not well-formed; names the line, the column and the fault.
    """
    if not (text.startswith(("<?xml", "\ufeff<?xml")) or "<!DOCTYPE" in text):
        return list(_Reader(text, is_document=False).tokens())
    try:
        return list(_Reader(text, is_document=True).tokens())
    except MarkupError as fault:
        try:  # the declaration may stand in a comment
            return list(_Reader(text, is_document=False).tokens())
        except MarkupError:
            raise fault from None


class _Event(NamedTuple):
    """The start of a token, in bytes."""

    kind: TokenKind
    start: int
    name: str = ""
    values: dict[str, str] | None = None


class _Reader:
    """Collects where the tokens start. A fragment is read as the contents of an element of ours."""

    def __init__(self, text: str, *, is_document: bool) -> None:
        try:
            self._bytes = text.encode()
        except UnicodeEncodeError as error:
            raise MarkupError(f"character {error.start} is half of a surrogate pair, which no text has") from error
        self._is_document = is_document
        self._head = b"" if is_document else f"<{_ROOT}>".encode()
        self._tail = b"" if is_document else f"</{_ROOT}>".encode()
        self._events = [_Event(TokenKind.KEPT if is_document else TokenKind.TEXT, 0)]
        self._depth = 0
        self._parser = expat.ParserCreate("utf-8")
        self._connect()

    def _connect(self) -> None:
        parser = self._parser
        parser.UseForeignDTD(True)  # an entity without a declaration is no fault: &nbsp; is read as in HTML
        parser.ExternalEntityRefHandler = self._entity
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CommentHandler = lambda _: self._add(TokenKind.KEPT)
        parser.ProcessingInstructionHandler = lambda *_: self._add(TokenKind.KEPT)
        parser.StartCdataSectionHandler = lambda: self._add(TokenKind.VERBATIM)
        parser.EndCdataSectionHandler = lambda: self._add(TokenKind.TEXT, after=len("]]>"))
        parser.DefaultHandler = lambda _: self._add(TokenKind.TEXT)

    def tokens(self) -> Iterator[MarkupToken]:
        """Reads all, then yields the tokens, with places in code points."""
        self._parse()
        ends = [event.start for event in self._events[1:]] + [len(self._bytes)]
        position = 0
        for (kind, start, name, values), end in zip(self._events, ends, strict=True):
            if start == end:
                continue
            token = self._bytes[start:end].decode()
            name = token[len("<![CDATA[") : -len("]]>")] if kind is TokenKind.VERBATIM else name
            span = Span(position, position + len(token))
            yield MarkupToken(kind, span, name, values=values)
            position = span.end

    def _parse(self) -> None:
        try:
            self._parser.Parse(self._head + self._bytes + self._tail, True)
        except expat.ExpatError as error:
            column = error.offset - (len(self._head) if error.lineno == 1 else 0)
            reason = expat.errors.messages[error.code]
            raise MarkupError(f"is not well-formed XML: line {error.lineno}, column {column}: {reason}") from error

    def _place(self) -> int:
        return self._parser.CurrentByteIndex - len(self._head)

    def _add(self, kind: TokenKind, name: str = "", values: dict[str, str] | None = None, *, after: int = 0) -> None:
        """Starts a token, unless it continues the last one."""
        if self._depth == 0:
            kind, name = TokenKind.KEPT, ""  # what is before and behind the root
        last = self._events[-1].kind
        goes_on = kind is TokenKind.TEXT and last in (TokenKind.TEXT, TokenKind.VERBATIM) and not after
        if not (goes_on or (self._depth == 0 and last is TokenKind.KEPT)):
            self._events.append(_Event(kind, self._place() + after, name, values))

    def _entity(self, *_: object) -> int:
        """Takes a reference to an external entity as text; returns that all is well."""
        self._add(TokenKind.TEXT)
        return 1

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > 1 or self._is_document:
            found = {key: attributes[key] for key in XML_ATTRIBUTES if key in attributes}
            self._add(TokenKind.OPEN, name, found or None)

    def _end(self, name: str) -> None:
        place, last = self._place(), self._events[-1]
        if last.kind is TokenKind.OPEN and self._bytes[place - 2 : place] == b"/>":
            # What follows starts here, and may have no event of its own before the next.
            self._events[-1] = last._replace(kind=TokenKind.EMPTY)
        elif self._depth > 1 or self._is_document:
            self._add(TokenKind.CLOSE, name)
        elif place < len(self._bytes):
            raise MarkupError(f"is not well-formed XML: byte {place}: an end tag without its start tag")
        self._depth -= 1
