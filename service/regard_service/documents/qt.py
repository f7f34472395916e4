"""TS files of Qt Linguist: sources become translations, which stay "unfinished" until a person has looked at them.

After Qt's document type definition of TS files. A message that has a translation keeps it; what is obsolete stays. A
translation that lacks a place marker (%1, %n) is refused: the program would show it without the value.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from xml.sax.saxutils import escape

from regard_service.documents.accelerators import with_accelerator, without_accelerator
from regard_service.documents.encoding import decode, has_mark
from regard_service.documents.html import is_balanced_html
from regard_service.documents.inline import BrokenTags
from regard_service.documents.places import Place, TextDocument, bounded
from regard_service.documents.plurals import PluralForms, forms_of_language, read_forms
from regard_service.documents.unit import Document, DocumentOptions, Unit, UnitFormat, has_words, refused
from regard_service.documents.xml_source import (
    Element,
    declared_encoding,
    parsed,
    text_between,
    with_attribute,
)
from regard_service.domain.results import Span

_MARKER = re.compile(r"%L?[1-9][0-9]?|%n")
_OBSOLETE = frozenset({"obsolete", "vanished"})


def open_qt(data: bytes, options: DocumentOptions) -> Document:
    """Reads a TS file. Raises InvalidInput."""
    decoded = decode(data, options.charset or ("" if has_mark(data) else declared_encoding(data)))
    root = parsed(decoded.text)
    if root.name != "TS":
        raise refused(f"is no translation file of Qt: its root is <{root.name}>")
    found = [*_language(decoded.text, root, options), *_Reader(decoded.text, options).places(root)]
    places, notes = bounded(found, options)
    return TextDocument(decoded, places, errors="xmlcharrefreplace", notes=notes)


def _language(text: str, root: Element, options: DocumentOptions) -> Iterator[Place]:
    """Yields the place of the target language, if the file does not name it. Raises InvalidInput."""
    found, target = root.attributes.get("language", ""), options.target_language.replace("-", "_")
    if found and target and found.lower().partition("_")[0] != target.lower().partition("_")[0]:
        raise refused(f"is to be translated into {found!r}; the call asks for {options.target_language!r}")
    if not found and target:
        tag = with_attribute(text[slice(*root.start)], "language", target)
        yield Place((), (root.start,), lambda _: [tag])


class _Reader:
    """Finds the messages of a file."""

    def __init__(self, text: str, options: DocumentOptions) -> None:
        self._text = text
        self._options = options

    def places(self, root: Element) -> Iterator[Place]:
        """Yields the places of the messages that are to be translated."""
        for context in (each for each in root.all() if each.name == "context"):
            name = context.child("name")
            title = "" if name is None else self._said(name)
            for message in (each for each in context.children if each.name == "message"):
                source, translation = message.child("source"), message.child("translation")
                # A source with elements has bytes that XML cannot hold.
                if source is not None and not source.children and self._is_open(translation):
                    yield from self._place(message, source, translation, title)

    def _said(self, element: Element) -> str:
        return text_between(self._text, *element.inner)

    def _is_open(self, translation: Element | None) -> bool:
        """Whether there is no translation yet, or the call replaces translations."""
        if translation is None:
            return True
        kind = translation.attributes.get("type")
        if kind in _OBSOLETE or self._options.replaces_existing:
            return kind not in _OBSOLETE
        return kind == "unfinished" and not any(self._said(e).strip() for e in translation.all() if not e.children)

    def _place(self, message: Element, source: Element, translation: Element | None, title: str) -> Iterator[Place]:
        """Yields the place of a message's translation, if it has words."""
        content = self._said(source)
        label, accelerator = without_accelerator(content.strip())
        if not has_words(label):
            return
        notes = (message.child(name) for name in ("comment", "extracomment"))
        context = "; ".join([title, *(self._said(note) for note in notes if note is not None)])
        form: UnitFormat = "html" if is_balanced_html(label) else "plain"
        unit = Unit(label, form, message.attributes.get("id", ""), context)
        around = content.split(content.strip(), 1)
        span = Span(source.end.end, source.end.end) if translation is None else translation.span
        tag = "<translation>" if translation is None else self._text[slice(*translation.start)].replace("/>", ">")
        tag = with_attribute(tag, "type", "unfinished")
        number = _number_of_forms(translation, self._options) if message.attributes.get("numerus") == "yes" else 0
        render = partial(_written, tag, unit, (around[0], accelerator, around[1]), number)
        yield Place((unit,), (span,), render, stays_if_equal=False)


def _number_of_forms(translation: Element | None, options: DocumentOptions) -> int:
    """Returns how many forms of a number a translation has: those of the file, or else of the language."""
    in_file = 0 if translation is None else sum(each.name == "numerusform" for each in translation.children)
    forms = read_forms(forms_of_language(options.target_language)) or PluralForms(2, 0, is_one_alone=True)
    return max(in_file, forms.number) if in_file < 2 else in_file


def _written(
    tag: str, unit: Unit, around: tuple[str, str, str], number: int, translations: Sequence[str | None]
) -> list[str]:
    """Returns the element of a translation.

    Args:
        around: the white space before the message, the mark and letter of its shortcut, the white space behind it.
        number: of the forms for numbers; 0 for a message without a number.

    Raises:
        BrokenTags: the translation lacks a place marker of its source.
    """
    translation = next(each for each in translations if each is not None)
    if Counter(_MARKER.findall(translation)) != Counter(_MARKER.findall(unit.text)):
        raise BrokenTags("the translation lacks a place marker")
    before, accelerator, behind = around
    content = escape(f"{before}{with_accelerator(translation.strip(), accelerator)}{behind}")
    forms = "".join(f"<numerusform>{content}</numerusform>" for _ in range(number))
    return [f"{tag}{forms or content}</translation>"]
