"""HTML into tokens, as browsers read it.

justhtml reads the text and decides what is a tag, a comment or text (HTML Living Standard, 13.2.5). Its events have no
positions; each is found again in the source, in order, so that all that is not translated stays as it is.
"""

from collections.abc import Iterator

from justhtml import stream

from regard_service.domain.results import Span
from regard_service.passages.markup.elements import READ_ATTRIBUTES, VOID
from regard_service.passages.markup.tokens import MarkupError, MarkupToken, TokenKind

_SPACE = " \t\n\f\r"
_NAME_END = "\t\n\f />"
_ATTRIBUTE_NAME_END = _NAME_END + "="
_UNQUOTED_VALUE_END = _SPACE + ">"
_RAW_TEXT = frozenset("script style iframe noembed noframes noscript xmp plaintext".split())
_TEXT_ONLY = frozenset({"textarea", "title"})


def html_tokens(text: str) -> list[MarkupToken]:
    """Returns the tokens of a page or a fragment. Every text has some: browsers refuse none."""
    return list(_Locator(text).tokens())


class _Locator:
    """Finds each of the parser's events in the source."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def tokens(self) -> Iterator[MarkupToken]:
        opened = ""  # the element whose start tag is the event before
        for kind, data in stream(self._text):
            match kind, data:
                case "text", str(content):
                    yield from self._contents(opened, content)
                    opened = ""
                case "start", (str(name), dict()):
                    yield from self._up_to_markup()
                    yield self._start_tag(name)
                    opened = name
                case "end", str(name):
                    yield from self._up_to_markup()
                    yield self._end_tag(name)
                    opened = ""
                case _:
                    comment = data if kind == "comment" and isinstance(data, str) else None
                    yield from self._up_to_markup(comment)
                    yield self._take(TokenKind.KEPT, self._end_of_declaration(comment))
                    opened = ""
        yield from self._up_to_markup()
        if self._position < len(self._text):  # a tag that the text's end cuts
            yield self._take(TokenKind.KEPT, len(self._text))

    def _take(
        self, kind: TokenKind, end: int, name: str = "", attributes: dict[str, Span] | None = None
    ) -> MarkupToken:
        token = MarkupToken(kind, Span(self._position, end), name, attributes)
        self._position = end
        return token

    def _up_to_markup(self, comment: str | None = None) -> Iterator[MarkupToken]:
        """Yields what is between two events: text, and markup for which there are none."""
        while self._position < len(self._text):
            start = self._next_markup(self._position)
            if start > self._position:
                yield self._take(TokenKind.TEXT, start)
            elif self._text.startswith("</>", start):
                yield self._take(TokenKind.KEPT, start + 3)
            elif self._is_section(start) and not (comment or "").upper().startswith("[CDATA["):
                end = self._text.find("]]>", start)
                yield self._take(TokenKind.KEPT, len(self._text) if end < 0 else end + 3)
            else:
                return

    def _next_markup(self, position: int) -> int:
        """Returns the place of the next "<" that starts a tag, a comment or a declaration, or the text's end."""
        text = self._text
        while (position := text.find("<", position)) >= 0:
            following = text[position + 1 : position + 2]
            if following in ("/", "!", "?") or (following.isascii() and following.isalpha()):
                # "</" at the end is text
                return len(text) if position + 2 == len(text) and following == "/" else position
            position += 1
        return len(text)

    def _is_section(self, start: int) -> bool:
        return self._text[start : start + 9].upper() == "<![CDATA["

    def _contents(self, opened: str, content: str) -> Iterator[MarkupToken]:
        """Yields an element's contents in which tags are text; other text is found from the tag that follows it."""
        if opened in _RAW_TEXT:
            end = self._end_of(content)
            if end is not None:
                yield self._take(TokenKind.KEPT, end)
        elif opened in _TEXT_ONLY and "<" in content:
            kind = TokenKind.TEXT if opened == "title" else TokenKind.KEPT
            yield self._take(kind, self._closing_tag(opened))

    def _end_of(self, content: str) -> int | None:
        """Returns where these raw contents end if they stand here, with their line breaks in any form."""
        end = self._position + len(content)
        here = self._text[self._position : end]
        while (missing := len(content) - len(_as_read(here))) > 0 and end < len(self._text):
            end += missing
            here = self._text[self._position : end]
        return end if _as_read(here) == content else None

    def _closing_tag(self, name: str) -> int:
        """Returns the place of an element's end tag, or the text's end."""
        position = self._position
        while (position := self._text.find("</", position)) >= 0:
            after = position + 2 + len(name)
            if self._text[position + 2 : after].lower() == name and self._text[after : after + 1] in _NAME_END + "\r":
                return position
            position += 2
        return len(self._text)

    def _start_tag(self, name: str) -> MarkupToken:
        end, values, is_closed = self._attributes(self._after_name(name))
        kind = TokenKind.EMPTY if name in VOID or is_closed else TokenKind.OPEN
        return self._take(kind, end, name, values or None)

    def _end_tag(self, name: str) -> MarkupToken:
        return self._take(TokenKind.CLOSE, self._end_of_end_tag(self._after_name("/" + name)), name)

    def _after_name(self, name: str) -> int:
        """Returns the position behind a tag's name.

        Raises:
            MarkupError: the tag is not here.
        """
        end = self._position + 1
        while end < len(self._text) and (self._text[end] not in _NAME_END or end == self._position + 1):
            end += 1
        if self._text[self._position + 1 : end].lower() != name:
            raise MarkupError(f"<{name}> is not found at character {self._position}")
        return end

    def _attributes(self, position: int) -> tuple[int, dict[str, Span], bool]:
        """Walks over a start tag's attributes; returns its end, the values to remember, and whether it ends in "/>"."""
        text, values = self._text, dict[str, Span]()
        while position < len(text) and text[position] != ">":
            if text.startswith("/>", position):
                return position + 2, values, True
            if text[position] in _ATTRIBUTE_NAME_END:
                position += 1
                continue
            start = position
            position = _skip(text, position, _ATTRIBUTE_NAME_END)
            name = text[start:position]
            position, value = self._value(position)
            if value is not None and len(name) <= 12 and (name := name.lower()) in READ_ATTRIBUTES:
                values.setdefault(name, value)
        return min(position + 1, len(text)), values, False

    def _value(self, position: int) -> tuple[int, Span | None]:
        """Walks over an attribute's value, if it has one."""
        text = self._text
        equals = _skip_space(text, position)
        if text[equals : equals + 1] != "=":
            return equals, None
        start = _skip_space(text, equals + 1)
        if text[start : start + 1] in ("'", '"'):
            end = text.find(text[start], start + 1)
            end = len(text) if end < 0 else end
            return end + 1, Span(start + 1, end)
        end = _skip(text, start, _UNQUOTED_VALUE_END)
        return end, Span(start, end)

    def _end_of_end_tag(self, position: int) -> int:
        """Returns where an end tag ends: at the first ">" outside of quotes."""
        text, quote = self._text, ""
        for index in range(position, len(text)):
            character = text[index]
            if quote:
                quote = "" if character == quote else quote
            elif character in "\"'":
                quote = character
            elif character == ">":
                return index + 1
        return len(text)

    def _end_of_declaration(self, comment: str | None) -> int:
        """Returns where a comment or a declaration ends."""
        text, start = self._text, self._position
        if not text.startswith("<!--", start):
            end = text.find(">", start + 2)
            return len(text) if end < 0 else end + 1
        for short in ("<!-->", "<!--->"):
            if text.startswith(short, start):
                return start + len(short)
        ends = [end + len(mark) for mark in ("-->", "--!>") if (end := text.find(mark, start + 4)) >= 0]
        return min(ends, default=len(text))


def _as_read(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


def _skip(text: str, position: int, stop: str) -> int:
    while position < len(text) and text[position] not in stop:
        position += 1
    return position


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return position
