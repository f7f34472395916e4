"""Reads TOML files that people write, with errors that name the line and the key."""

import re
import tomllib
from pathlib import Path
from typing import Any

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_AFTER_VALUE = "is followed by more than its value: a text needs quotes, and a number has no unit"
_NO_VALUE = "must be a text in quotes, a number, true, false, a list or a table"
_NO_PAIR = "must be KEY = VALUE"

# By how tomllib's messages begin.
_WORDS = {
    "Cannot declare": "a table that exists already",
    "Cannot mutate": "a table that exists already",
    "Cannot overwrite": "is set twice",
    "Duplicate inline table key": "is set twice",
    "Expected '=' after a key": _NO_PAIR,
    "Expected newline": _AFTER_VALUE,
    "Invalid hex value": r"a backslash in double quotes begins an escape; single quotes take it as it is",
    "Invalid statement": _NO_PAIR,
    "Invalid value": _NO_VALUE,
    "Unescaped '\\'": r"a backslash in double quotes begins an escape; single quotes take it as it is",
}
_PLACE = re.compile(r"(?P<message>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)", re.DOTALL)


class TomlError(ValueError):
    """A file that is no TOML. The message names neither the file nor a value, which may be a secret."""


def read_toml(file: Path) -> dict[str, Any]:
    """Reads a file in UTF-8, with or without the byte-order mark that some editors write.

    Raises:
        TomlError: it is not UTF-8, or not TOML; names the line and, if the line has one, the key.
        OSError: it cannot be read.
    """
    text = _decode(file.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TomlError(_describe(str(error), text)) from None
    except RecursionError:
        raise TomlError("lists or tables are nested too deeply") from None


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if content.startswith(_UTF16_MARKS):
            raise TomlError("the file is UTF-16, and must be UTF-8") from None
        line = content.count(b"\n", 0, error.start) + 1
        raise TomlError(f"line {line}: byte {content[error.start]:#04x} is not UTF-8") from None


def _describe(message: str, text: str) -> str:
    found = _PLACE.fullmatch(message)
    if found is None:
        return message
    lines = text.rstrip().split("\n")
    number = min(int(found["line"] or len(lines)), len(lines))
    key, equals, _ = lines[number - 1].partition("=")
    words = next((words for begin, words in _WORDS.items() if found["message"].startswith(begin)), None)
    return f"line {number}: {f'{key.strip()}: ' if equals else ''}{words or found['message']}"
