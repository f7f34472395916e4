"""JSON of strings: the values of a file of messages, at any depth. Keys, order and spaces stay.

Known dialects: i18next and alike ("{{name}}", "$t(key)"), ICU messages ("{n, plural, one {...} other {...}}"),
Application Resource Bundles (keys with "@" describe a message), and messages.json of browser extensions.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from regard_service.documents.encoding import decode
from regard_service.documents.icu import Leaf, is_complex, message_leaves
from regard_service.documents.inline import unit_text
from regard_service.documents.places import Place, TextDocument, bounded, place
from regard_service.documents.unit import Document, DocumentOptions, Unit, has_words, refused
from regard_service.domain.results import Span

# One character of a string, as written; two escapes may be one character.
_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL
)
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\]:,]')
_EXTENSION_KEYS = frozenset({"message", "description", "placeholders"})


class _Value(NamedTuple):
    """A string that is a value.

    Attributes:
        path: the keys and indexes that lead to it.
        span: with its quotes.
    """

    path: tuple[str, ...]
    text: str
    span: Span


def open_json(data: bytes, options: DocumentOptions) -> Document:
    """Reads a file of messages. Raises InvalidInput for what is not JSON."""
    decoded = decode(data, options.charset)
    try:
        content = json.loads(decoded.text)
    except (ValueError, RecursionError) as error:
        raise refused(f"is not JSON: {str(error) or 'nested too deeply'}") from None
    is_extension = _is_extension(content)
    values = [v for v in _values(decoded.text) if _is_message(v, is_extension=is_extension)]
    escapes = decoded.text.isascii() and "\\u" in decoded.text
    is_icu = any(is_complex(value.text) for value in values)
    places = [each for value in values for each in _places(value, decoded.text, escapes=escapes, is_icu=is_icu)]
    places, notes = bounded(places, options)
    return TextDocument(decoded, places, notes=notes)


def _places(value: _Value, source: str, *, escapes: bool, is_icu: bool) -> Iterator[Place]:
    def written(text: str) -> str:
        return json.dumps(text, ensure_ascii=escapes)

    name = ".".join(value.path)
    leaves = message_leaves(value.text) if is_icu else None
    if leaves is None:
        yield place(Unit(value.text, id=name), value.span, written)
        return
    positions = _positions(source, value.span)
    for leaf in leaves:
        text, form = unit_text(leaf.pieces)
        span = Span(positions[leaf.span.start], positions[leaf.span.end])
        yield place(Unit(text, form, f"{name} {leaf.branch}".strip()), span, _leaf_writer(leaf, written))


def _leaf_writer(leaf: Leaf, written: Callable[[str], str]) -> Callable[[str], str]:
    return lambda translation: written(leaf.write(translation))[1:-1]


def _positions(source: str, span: Span) -> list[int]:
    """Returns where each character of a string, and its end, stands in the source."""
    positions = [match.start() for match in _CHARACTER.finditer(source, span.start + 1, span.end - 1)]
    return [*positions, span.end - 1]


def _is_extension(content: object) -> bool:
    """Whether it is a messages.json of a browser extension: {"name": {"message": ..., "description": ...}, ...}."""
    return (
        isinstance(content, dict)
        and bool(content)
        and all(
            isinstance(each, dict) and isinstance(each.get("message"), str) and _EXTENSION_KEYS.issuperset(each)
            for each in content.values()
        )
    )


def _is_message(value: _Value, *, is_extension: bool) -> bool:
    if any(key.startswith("@") for key in value.path):
        return False
    if is_extension and value.path[-1:] != ("message",):
        return False
    return has_words(value.text) and not _has_surrogate(value.text)


def _has_surrogate(text: str) -> bool:
    r"""Whether there is half of a surrogate pair, which JSON can escape ("\ud800")."""
    return any("\ud800" <= each <= "\udfff" for each in text)


def _values(text: str) -> Iterator[_Value]:
    """Yields the strings that are values, of a text that is JSON."""
    path: list[str] = []  # of each open container: the key or index of its current value
    containers: list[str] = []
    is_key = False
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in "{[":
            containers.append(token)
            path.append("0" if token == "[" else "")
            is_key = token == "{"
        elif token in "}]":
            containers.pop()
            path.pop()
        elif token == ",":
            is_key = containers[-1] == "{"
            if not is_key:
                path[-1] = str(int(path[-1]) + 1)
        elif token == ":":
            is_key = False
        elif is_key:
            path[-1] = json.loads(token)
        else:
            yield _Value(tuple(path), json.loads(token), Span(*match.span()))
