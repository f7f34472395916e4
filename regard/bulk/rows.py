"""The rows of a corpus."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from regard.errors import InvalidArgument, RegardError

MAX_SHOWN = 2000  # characters of a row that could not be read, in the file of failed rows


class CorpusError(RegardError):
    """A corpus, or a folder for its results, that a run refuses before it calls anything, or cannot go on with."""


@dataclass(frozen=True)
class Row:
    """One row of a corpus.

    Attributes:
        file: the path of its file, as it was given.
        number: its line, or its row in a table, from 1.
        custom_id: its own name; None if it has none.
        value: a text, or a picture: a path, or a file's bytes.
        index: its position among the rows of all files, from 0.
        error: why it cannot be run, with as much of it as `value` shows; None if it can.
    """

    file: str
    number: int
    custom_id: str | None
    value: str | bytes
    index: int = 0
    error: InvalidArgument | None = None

    def refused(self, reason: str, message: str) -> Self:
        """The same row, set aside: `reason` is in UPPER_SNAKE, `message` in words."""
        shown = self.value[:MAX_SHOWN] if isinstance(self.value, str) else ""
        return replace(self, value=shown, error=InvalidArgument("INVALID_ARGUMENT", message, reason))


class BadRow(Exception):
    """What is wrong with a row, raised where it is read.

    Attributes:
        reason: in UPPER_SNAKE.
        custom_id: the row's name, if that could be read.
    """

    def __init__(self, reason: str, message: str, custom_id: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.custom_id = custom_id


@dataclass(frozen=True)
class Columns:
    """Which columns, or keys of objects, a corpus' rows have.

    Attributes:
        value: the one with the texts or pictures: a name, or of a table without a header its number from 1.
        custom_id: the one with the rows' names, likewise.
        needs_id: whether a row without a name is set aside.
        has_pictures: whether values are pictures.
    """

    value: str = "text"
    custom_id: str = "custom_id"
    needs_id: bool = False
    has_pictures: bool = False


@dataclass(frozen=True)
class Source:
    """A file of a corpus, as a run found it.

    Attributes:
        sha256: of its bytes, in hexadecimal digits.
    """

    path: Path
    size_bytes: int
    sha256: str
    num_rows: int


def checked_text(value: object, name: str) -> str:
    """A text that UTF-8 can hold.

    Raises:
        BadRow: it is of another type, or has a lone surrogate, which is half a character.
    """
    if not isinstance(value, str):
        found = "null" if value is None else f"of type {type(value).__name__}"
        raise BadRow("INVALID_VALUE", f"{name!r} must be a text; it is {found}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRow("INVALID_VALUE", f"{name!r} has a lone surrogate at character {error.start}") from None
    return value


def checked_id(value: object, name: str) -> str:
    """A row's name: a text, or a whole number in digits. Raises BadRow for anything else, and for an empty text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = checked_text(value, name)
    if not text:
        raise BadRow("INVALID_VALUE", f"{name!r} is empty")
    return text


def decoded(content: bytes, what: str) -> str:
    """Bytes of UTF-8 as a text. Raises BadRow with the position of the first byte that is not."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BadRow("NOT_UTF8", f"{what} is not UTF-8: byte {error.start} is {content[error.start]:#04x}") from None


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a JSON object. Raises ValueError for a repeated key, whose first value would be lost."""
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key {key!r} is there twice")
        content[key] = value
    return content
