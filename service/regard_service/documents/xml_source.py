"""XML as a tree of elements that know where they stand in the text: what is not touched stays to the byte.

Expat parses. Nothing outside is read, and a document that declares entities of its own is refused: no "billion laughs".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from regard_service.documents.unit import refused
from regard_service.domain.results import Span

MAX_DEPTH = 256
MAX_ELEMENTS = 400_000

_TAG = re.compile(r"<(?:[^\"'>]++|\"[^\"]*+\"|'[^']*+')*+>")
# CDATA, whose contents are text; comments and processing instructions.
_SECTION = re.compile(r"<!\[CDATA\[(.*?)\]\]>|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_ENCODING = re.compile(rb"<\?xml\s[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]{1,40})")
_XML = "http://www.w3.org/XML/1998/namespace"


@dataclass(slots=True)
class Element:
    """An element.

    Attributes:
        namespace, name: of its tag, without a prefix.
        attributes: by name; those with a prefix as "namespace name".
        start: where its start tag stands.
        end: where its end tag stands; an empty range behind a tag that is both.
    """

    namespace: str
    name: str
    attributes: dict[str, str]
    start: Span
    end: Span
    children: list["Element"] = field(default_factory=list)

    @property
    def span(self) -> Span:
        """Its place, with its tags."""
        return Span(self.start.start, self.end.end)

    @property
    def inner(self) -> Span:
        """Its place, without its tags."""
        return Span(self.start.end, self.end.start)

    @property
    def keeps_space(self) -> bool:
        """Whether it says that its white space is text."""
        return self.attributes.get(f"{_XML} space") == "preserve"

    def all(self) -> Iterator["Element"]:
        """Yields it and everything below, in order."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting += reversed(element.children)

    def child(self, name: str) -> "Element | None":
        """Returns the first child of a name."""
        return next((each for each in self.children if each.name == name), None)


def declared_encoding(data: bytes) -> str:
    """Returns the encoding that an XML declaration names; "" without one."""
    match = _ENCODING.match(data)
    return match[1].decode("ascii") if match else ""


def parsed(text: str, name: str = "") -> Element:
    """Parses a document.

    Args:
        name: of the document within a larger one, for messages.

    Raises:
        InvalidInput: it is not well-formed (names line and column), too large, nested too deeply, or declares entities.
    """
    return _Reader(text, f"{name} " if name else "").root()


class _Reader:
    def __init__(self, text: str, prefix: str) -> None:
        self._text = text
        self._prefix = prefix
        self._bytes = text.encode(errors="surrogatepass")
        self._num_bytes = self._num_characters = self._num_elements = 0
        self._open: list[Element] = []
        self._root: Element | None = None
        self._parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype

    def root(self) -> Element:
        try:
            self._parser.Parse(self._bytes, True)
        except expat.ExpatError as error:
            reason = expat.errors.messages[error.code]
            raise refused(
                f"{self._prefix}is not well-formed XML: line {error.lineno}, column {error.offset}: {reason}"
            ) from None
        if self._root is None:
            raise refused(f"{self._prefix}has no element")
        return self._root

    def _doctype(self, *declaration: object) -> None:
        if declaration[-1]:  # has an internal subset
            raise refused(f"{self._prefix}declares entities of its own, which are not expanded")

    def _position(self) -> int:
        """Returns where the parser is, in code points."""
        end = self._parser.CurrentByteIndex
        self._num_characters += len(self._bytes[self._num_bytes : end].decode(errors="surrogatepass"))
        self._num_bytes = end
        return self._num_characters

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise refused(f"{self._prefix}is nested deeper than {MAX_DEPTH} elements")
        self._num_elements += 1
        if self._num_elements > MAX_ELEMENTS:
            raise refused(f"{self._prefix}has more than {MAX_ELEMENTS} elements")
        namespace, _, local = name.rpartition(" ")
        start = self._position()
        element = Element(namespace, local, attributes, Span(start, self._tag_end(start)), Span(start, start))
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)

    def _end(self, _: str) -> None:
        element = self._open.pop()
        if self._text[element.start.end - 2] == "/":
            element.end = Span(element.start.end, element.start.end)
        else:
            start = self._position()
            element.end = Span(start, self._tag_end(start))

    def _tag_end(self, start: int) -> int:
        match = _TAG.match(self._text, start)
        return match.end() if match else len(self._text)


def texts_between(text: str, start: int, end: int) -> Iterator[tuple[str | None, str]]:
    """Yields the parts of a stretch without elements: what each says, and its source. A comment says None."""
    position = start
    for match in _SECTION.finditer(text, start, end):
        if position < match.start():
            yield unescape(text[position : match.start()]), text[position : match.start()]
        yield match[1], match[0]
        position = match.end()
    if position < end:
        yield unescape(text[position:end]), text[position:end]


def text_between(text: str, start: int, end: int) -> str:
    """Returns what a stretch without elements says."""
    return "".join(each or "" for each, _ in texts_between(text, start, end))


def with_attribute(tag: str, name: str, value: str) -> str:
    """Returns a start tag with an attribute set."""
    found = re.search(rf"(\s{re.escape(name)}\s*=\s*)(?:\"[^\"]*\"|'[^']*')", tag)
    if found:
        return f"{tag[: found.start()]}{found[1]}{quoteattr(value)}{tag[found.end() :]}"
    end = len(tag) - (2 if tag.endswith("/>") else 1)
    return f"{tag[:end].rstrip()} {name}={quoteattr(value)}{tag[end:]}"
