"""Stand-ins for a model: one copies, others write what a test can tell apart. Tags stay where they are."""

import re
from collections.abc import Callable, Sequence

from regard_service.documents.unit import Document, Unit

_MARKUP = re.compile(r'<x [^>]*translate="no">.*?</x>|<[^<>]*>|&\w+;|\{[^{}]*\}|%\([^()]*\)\w|%\d*\$?\w', re.DOTALL)


def copied(document: Document) -> list[str | None]:
    return [unit.text for unit in document.units]


def mapped(unit: Unit, change: Callable[[str], str]) -> str:
    """The unit with its words changed, and its tags, entities and placeholders as they are."""
    pieces, end = [], 0
    for match in _MARKUP.finditer(unit.text):
        pieces += [change(unit.text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*pieces, change(unit.text[end:])])


def shouted(document: Document) -> list[str | None]:
    return [mapped(unit, str.upper) for unit in document.units]


def texts(document: Document) -> list[str]:
    return [unit.text for unit in document.units]


def written(document: Document, translations: Sequence[str | None]) -> str:
    found = document.write(translations)
    assert found.faults == ()
    return found.data.decode()
