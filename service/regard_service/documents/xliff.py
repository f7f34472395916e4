"""XLIFF 1.2 and 2: translation units, with their inline codes.

After the OASIS standards XLIFF 1.2 and 2.1. A unit that has a translation keeps it; a new one is marked as a machine's
("needs-review-translation", "leveraged-mt") or as "translated". Codes that carry native code are never text.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from regard_service.documents.accelerators import with_accelerator, without_accelerator
from regard_service.documents.encoding import decode, has_mark
from regard_service.documents.icu import Leaf, is_complex, message_leaves
from regard_service.documents.inline import (
    BrokenTags,
    Part,
    Piece,
    Tag,
    Text,
    Trimmed,
    is_worded,
    merged,
    paired,
    read_translation,
    trimmed,
    unit_text,
)
from regard_service.documents.places import Place, TextDocument, bounded, spliced
from regard_service.documents.unit import Document, DocumentOptions, Unit, UnitFormat, refused
from regard_service.documents.xml_source import (
    Element,
    declared_encoding,
    parsed,
    text_between,
    texts_between,
    with_attribute,
)
from regard_service.domain.results import Span

_PAIRS = frozenset({"g", "mrk", "pc"})
_OPENING = {"bpt": ("bpt", "rid"), "bx": ("bx", "rid"), "sc": ("sc", "id")}
_CLOSING = {"ept": ("bpt", "rid"), "ex": ("bx", "rid"), "ec": ("sc", "startRef")}
_UNFINISHED = frozenset({"new", "needs-translation", "initial"})


def open_xliff(data: bytes, options: DocumentOptions) -> Document:
    """Reads an XLIFF file. Raises InvalidInput."""
    decoded = decode(data, options.charset or ("" if has_mark(data) else declared_encoding(data)))
    root = parsed(decoded.text)
    if root.name != "xliff":
        raise refused(f"is no XLIFF: its root is <{root.name}>")
    is_second = root.attributes.get("version", "").startswith("2")
    reader = _Reader(decoded.text, options, is_second=is_second)
    places, notes = bounded(sorted(reader.places(root), key=lambda each: each.spans[0]), options)
    return TextDocument(decoded, places, errors="xmlcharrefreplace", notes=notes)


class _Reader:
    """Finds the units of a file."""

    def __init__(self, text: str, options: DocumentOptions, *, is_second: bool) -> None:
        self._text = text
        self._options = options
        self._is_second = is_second

    def places(self, root: Element) -> Iterator[Place]:
        """Yields the places of the units that are to be translated."""
        waiting: list[tuple[Element, str]] = [(root, "")]
        while waiting:
            element, name = waiting.pop()
            if element.attributes.get("translate") == "no":
                continue
            if element.name in ("trans-unit", "unit"):
                name = element.attributes.get("id", "")
            if element.name == ("segment" if self._is_second else "trans-unit"):
                yield from self._unit(element, name)
                continue
            yield from self._language(element)
            waiting += [(child, name) for child in reversed(element.children) if child.name != "alt-trans"]

    def _language(self, element: Element) -> Iterator[Place]:
        """Yields the place of the target language, if the file does not name it."""
        name = "trgLang" if self._is_second else "target-language"
        if element.name != ("xliff" if self._is_second else "file") or not self._options.target_language:
            return
        found = element.attributes.get(name, "")
        target = self._options.target_language
        if found and found.lower().partition("-")[0] != target.lower().partition("-")[0]:
            raise refused(f"is to be translated into {found!r}; the call asks for {target!r}")
        if not found:
            tag = with_attribute(self._source(element.start), name, target)
            yield Place((), (element.start,), lambda _: [tag])

    def _unit(self, element: Element, name: str) -> Iterator[Place]:
        """Yields the place of a unit's or segment's target."""
        source, target = element.child("source"), element.child("target")
        if source is None or not self._is_open(element, target):
            return
        segmented = element.child("seg-source")
        segments = [each for each in (segmented or source).all() if each.attributes.get("mtype") == "seg"]
        parts = [_Segment.read(each.inner, self._trimmed(each)) for each in segments or [source]]
        worded = [part for part in parts if part.has_words]
        if worded:
            note = self._note(element)
            units = tuple(unit for part in worded for unit in part.units(name, note))
            inner = (segmented if segments and segmented else source).inner
            yield self._place(element, source, target, units, _Target(self._text, inner, worded))

    def _is_open(self, element: Element, target: Element | None) -> bool:
        """Whether there is no translation yet, or the call replaces translations."""
        if element.attributes.get("approved") == "yes" and not self._options.replaces_existing:
            return False
        if target is None or self._options.replaces_existing or not self._source(target.inner).strip():
            return True
        return (element if self._is_second else target).attributes.get("state") in _UNFINISHED

    def _note(self, element: Element) -> str:
        note = element.child("note")
        return "" if note is None else text_between(self._text, *note.inner)

    def _place(
        self, element: Element, source: Element, target: Element | None, units: tuple[Unit, ...], written: "_Target"
    ) -> Place:
        tag = self._source(source.start).replace("source", "target", 1)
        if not self._is_second:
            tag = with_attribute(
                with_attribute(tag, "state", "needs-review-translation"), "state-qualifier", "leveraged-mt"
            )
        end_tag = self._source(source.end).replace("source", "target", 1)
        last = element.child("seg-source") or source
        lead = self._text[element.start.end : source.start.start] if target is None else ""
        span = Span(last.end.end, last.end.end) if target is None else target.span
        spans: tuple[Span, ...] = (span,)
        texts: list[str] = []
        if self._is_second:
            texts, spans = [with_attribute(self._source(element.start), "state", "translated")], (element.start, span)

        def render(translations: Sequence[str | None]) -> list[str]:
            return [*texts, f"{lead if not lead.strip() else ''}{tag}{written.content(translations)}{end_tag}"]

        return Place(units, spans, render, stays_if_equal=False)

    def _source(self, span: Span) -> str:
        return self._text[span.start : span.end]

    def _trimmed(self, element: Element) -> Trimmed:
        found = list(self._pieces(element))
        return trimmed(merged(paired([piece for piece, _ in found], [part for _, part in found])))

    def _pieces(self, element: Element) -> Iterator[tuple[Piece, Part]]:
        position = element.inner.start
        for child in element.children:
            yield from self._between(position, child.start.start)
            yield from self._code(child)
            position = child.end.end
        yield from self._between(position, element.inner.end)

    def _between(self, start: int, end: int) -> Iterator[tuple[Piece, Part]]:
        for text, source in texts_between(self._text, start, end):
            yield (Tag("alone", 0, source) if text is None else Text(text, source)), None

    def _code(self, element: Element) -> Iterator[tuple[Piece, Part]]:
        attributes = element.attributes
        is_kept = attributes.get("mtype") == "protected" or attributes.get("translate") == "no"
        if element.name in _PAIRS and not is_kept and element.inner.start < element.inner.end:
            name = f"{element.name} at {element.start.start}"
            yield Tag("alone", 0, self._source(element.start)), (name, True)
            yield from self._pieces(element)
            yield Tag("alone", 0, self._source(element.end)), (name, False)
            return
        shown = text_between(self._text, *element.inner) if is_kept else ""
        yield Tag("alone", 0, self._source(element.span), shown), _part(element)


def _part(element: Element) -> Part:
    for table, is_open in ((_OPENING, True), (_CLOSING, False)):
        if element.name in table:
            kind, key = table[element.name]
            return f"{kind} {element.attributes.get(key) or element.attributes.get('id', '')}", is_open
    return None


class _Segment(NamedTuple):
    """A source or a segment of one.

    Attributes:
        inner: where its contents stand.
        leaves: the texts of the ICU message with branches that it is; None for other texts.
    """

    inner: Span
    found: Trimmed
    leaves: tuple[Leaf, ...] | None

    @property
    def has_words(self) -> bool:
        """Whether there is a text to translate."""
        return is_worded(self.found.pieces) if self.leaves is None else bool(self.leaves)

    @property
    def num_units(self) -> int:
        """How many texts there are, if it has words."""
        return 1 if self.leaves is None else len(self.leaves)

    @classmethod
    def read(cls, inner: Span, found: Trimmed) -> "_Segment":
        """Returns a segment; only one without inline codes is read as an ICU message."""
        text, form = unit_text(found.pieces)
        is_message = form == "plain" and is_complex(text)
        return cls(inner, found, tuple(message_leaves(text) or ()) if is_message else None)

    def units(self, name: str, note: str) -> Iterator[Unit]:
        """Yields its texts to translate."""
        if self.leaves is None:
            yield Unit(*_without_shortcut(self.found)[:2], name, note)
        for leaf in self.leaves or ():
            yield Unit(*unit_text(leaf.pieces), f"{name} {leaf.branch}".strip(), note)

    def content(self, kept: str, translations: Sequence[str | None], first: int) -> str:
        """Returns its translation as XML. Raises BrokenTags, with a number from `first` on. Args: kept: the source."""
        if self.leaves is None:
            return kept if translations[0] is None else _written(self.found, translations[0], first)
        replacements: list[tuple[Span, str]] = []
        for index, (leaf, translation) in enumerate(zip(self.leaves, translations, strict=True), first):
            try:
                replacements += [] if translation is None else [(leaf.span, leaf.write(translation))]
            except BrokenTags as error:
                error.unit = index
                raise
        return escape(spliced(unit_text(self.found.pieces)[0], replacements)) if replacements else kept


class _Target:
    """The contents of a target: those of the source, with translations in the place of its parts."""

    def __init__(self, text: str, inner: Span, parts: Sequence[_Segment]) -> None:
        self._text = text
        self._inner = inner
        self._parts = parts

    def content(self, translations: Sequence[str | None]) -> str:
        """Returns the contents. Raises BrokenTags."""
        pieces, position, taken = [], self._inner.start, 0
        for part in self._parts:
            start, end = part.inner.start + part.found.start, part.inner.start + part.found.end
            first, taken = taken, taken + part.num_units
            written = part.content(self._text[start:end], translations[first:taken], first)
            pieces += [self._text[position:start], written]
            position = end
        return "".join([*pieces, self._text[position : self._inner.end]])


def _without_shortcut(found: Trimmed) -> tuple[str, UnitFormat, str]:
    """Returns the text of a unit, its format, and the mark and letter of its keyboard shortcut; "" if it has none."""
    text, form = unit_text(found.pieces)
    if form != "plain":
        return text, form, ""
    label, accelerator = without_accelerator(text)
    return label, form, accelerator


def _written(found: Trimmed, translation: str, index: int) -> str:
    translation = with_accelerator(translation, _without_shortcut(found)[2])
    try:
        pieces = read_translation(translation, found.pieces)
    except BrokenTags as error:
        error.unit = index
        raise
    return "".join(escape(piece) if isinstance(piece, str) else piece.target for piece in pieces)
