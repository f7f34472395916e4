"""Tags, text and what is kept as it is, with their places in the source."""

from enum import Enum
from typing import NamedTuple

from regard_service.domain.results import Span


class TokenKind(Enum):
    """What a token is.

    KEPT is what nobody translates: a comment, a declaration, a script's code. VERBATIM is text that stands in a
    sentence and is kept, such as a CDATA section; its `name` is that text.
    """

    TEXT = "text"
    OPEN = "open"
    CLOSE = "close"
    EMPTY = "empty"
    KEPT = "kept"
    VERBATIM = "verbatim"


class MarkupToken(NamedTuple):
    """A piece of markup. The tokens of a text are contiguous and cover it.

    Attributes:
        span: its place in the source, in Unicode code points.
        name: a tag's name, in lower case for HTML.
        attributes: where in HTML the values of the attributes stand that matter here, without quotes, by name.
        values: in XML the values themselves.
    """

    kind: TokenKind
    span: Span
    name: str = ""
    attributes: dict[str, Span] | None = None
    values: dict[str, str] | None = None


class MarkupError(ValueError):
    """The text is not markup of its format; the message says where and why."""
