"""A paragraph of WordprocessingML as pieces: runs of text with their formatting, and all else.

After ECMA-376 (Office Open XML), part 1, chapter 17.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from xml.sax.saxutils import escape

from regard_service.documents.inline import (
    BrokenTags,
    Part,
    Piece,
    Tag,
    Text,
    Translated,
    Trimmed,
    is_worded,
    merged,
    paired,
    read_translation,
    trimmed,
    unit_text,
)
from regard_service.documents.places import Place
from regard_service.documents.unit import Unit
from regard_service.documents.xml_source import Element, text_between
from regard_service.domain.results import Span

_CONTAINERS = frozenset({"hyperlink", "ins", "moveTo", "smartTag", "customXml", "sdt", "dir", "bdo"})
_NOISE = frozenset({"proofErr", "lastRenderedPageBreak"})
_SEPARATORS = frozenset({"tab", "br", "cr", "ptab"})
_CHARACTERS = {"noBreakHyphen": "\u2011", "softHyphen": "\u00ad"}
# Properties of a run that nobody sees: the language of the spelling checker.
_UNSEEN = re.compile(r"<(?:\w+:)?(?:lang|noProof)\b[^<>]*?/>")
_EMPTY = re.compile(r"<(?:\w+:)?rPr>\s*</(?:\w+:)?rPr>$")
_HYPERLINK = re.compile(r"\s*HYPERLINK\b")

AtomKind = Literal["text", "code", "open", "close", "break"]


class Atom(NamedTuple):
    """The smallest part of a paragraph.

    Attributes:
        source: XML that can stand in a paragraph; of a text, the properties of its run.
        text: of a text.
        look: of a text, its properties as far as they are seen.
        prefix: of the namespace, as in "w:".
    """

    kind: AtomKind
    source: str
    text: str = ""
    look: str = ""
    prefix: str = ""


@dataclass
class Fields:
    """The complex fields that are open, which may span paragraphs.

    Attributes:
        depth: how many.
    """

    depth: int = 0


@dataclass(frozen=True)
class Stretch:
    """Part of a paragraph that is written anew as a whole.

    Attributes:
        span: its place in the XML.
    """

    span: Span
    atoms: tuple[Atom, ...]


class ParagraphReader:
    """Reads the paragraphs of a part of a document, in order.

    Args:
        text: the part's XML.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._fields = Fields()

    def stretches(self, paragraph: Element) -> Iterator[Stretch]:
        """Yields the stretches of a paragraph: between elements with paragraphs of their own, such as text boxes."""
        atoms: list[Atom] = []
        start: int | None = None
        end = 0
        for child in paragraph.children:
            if child.name == "pPr":
                continue
            if _holds_paragraphs(child):
                if start is not None:
                    yield Stretch(Span(start, end), tuple(_with_fields(atoms, self._fields)))
                self._fields.depth += sum(_field_change(each) for each in child.all())
                atoms, start = [], None
                continue
            start = child.start.start if start is None else start
            end = child.end.end
            atoms += self._atoms(child)
        if start is not None:
            yield Stretch(Span(start, end), tuple(_with_fields(atoms, self._fields)))

    def _source(self, span: Span) -> str:
        return self._text[span.start : span.end]

    def _atoms(self, element: Element) -> Iterator[Atom]:
        """Yields the atoms of a child of a paragraph."""
        if element.name == "r":
            yield from self._run(element)
        elif element.name in _CONTAINERS and element.children:
            content = element.child("sdtContent") if element.name == "sdt" else element
            if content is None:
                yield Atom("code", self._source(element.span))
                return
            yield Atom("open", self._source(Span(element.start.start, content.inner.start)))
            for child in content.children:
                yield from self._atoms(child)
            yield Atom("close", self._source(Span(content.inner.end, element.end.end)))
        elif element.name not in _NOISE:
            yield Atom("code", self._source(element.span))

    def _run(self, run: Element) -> Iterator[Atom]:
        properties = run.child("rPr")
        source = "" if properties is None else self._source(properties.span)
        prefix = self._source(run.start)[1:].partition("r")[0]
        is_hidden = properties is not None and properties.child("vanish") is not None
        for child in run.children:
            if child.name == "rPr" or child.name in _NOISE:
                continue
            text = None if is_hidden else self._text_of(child)
            if text is not None:
                yield Atom("text", source, text, _EMPTY.sub("", _UNSEEN.sub("", source)), prefix)
                continue
            kind: AtomKind = "break" if child.name in _SEPARATORS else "code"
            whole = f"<{prefix}r>{source}{self._source(child.span)}</{prefix}r>"
            yield Atom(kind, whole, _field_mark(child, self._text))

    def _text_of(self, element: Element) -> str | None:
        """Returns the text that a run's child is; None if it is something else."""
        if element.name in _CHARACTERS:
            return _CHARACTERS[element.name]
        if element.name != "t":
            return None
        text = text_between(self._text, *element.inner)
        return text if element.keeps_space else text.strip(" \t\r\n")


def _holds_paragraphs(element: Element) -> bool:
    return any(each.name == "p" and each.namespace == element.namespace for each in element.all())


def _field_mark(element: Element, text: str) -> str:
    """Returns "begin", "separate" or "end" for the parts of a complex field, its instruction, or ""."""
    if element.name == "fldChar":
        return next((v for k, v in element.attributes.items() if k.endswith(" fldCharType")), "")
    if element.name == "instrText":
        return f"={text_between(text, *element.inner)}"
    return ""


def _field_change(element: Element) -> int:
    mark = _field_mark(element, "")
    return (mark == "begin") - (mark == "end")


def _with_fields(atoms: Iterable[Atom], fields: Fields) -> Iterator[Atom]:
    """Makes one code of each field, but of a hyperlink a pair of codes around its text."""
    kept: list[Atom] = []
    instruction, is_link, has_link = "", False, False
    for atom in atoms:
        mark = atom.text if atom.kind == "code" else ""
        if mark == "begin":
            fields.depth += 1
            instruction = "" if fields.depth == 1 else instruction
        elif mark == "end" and fields.depth:
            fields.depth -= 1
        elif mark.startswith("=") and fields.depth == 1:
            instruction += mark[1:]
        is_link = mark == "separate" and fields.depth == 1 and _HYPERLINK.match(instruction) is not None
        if is_link and kept:
            yield Atom("open", "".join(_xml(each) for each in [*kept, atom]))
            kept, has_link = [], True
        elif mark == "end" and not fields.depth and has_link and not kept:
            yield Atom("close", atom.source)
            has_link = False
        elif mark == "end" and not fields.depth:
            yield Atom("code", "".join(_xml(each) for each in [*kept, atom]))
            kept = []
        elif fields.depth and not (has_link and fields.depth == 1):
            kept.append(atom)
        else:
            yield atom._replace(text="") if mark else atom
    if kept:  # it goes on in the next paragraph
        yield Atom("code", "".join(map(_xml, kept)))


def _xml(atom: Atom) -> str:
    """Returns an atom that stands by itself."""
    return _text_run(atom.prefix, atom.source, atom.text) if atom.kind == "text" else atom.source


def _text_run(prefix: str, properties: str, text: str) -> str:
    return f'<{prefix}r>{properties}<{prefix}t xml:space="preserve">{escape(text)}</{prefix}t></{prefix}r>'


class _Sentence(NamedTuple):
    """Atoms [first, last) between breaks, as a sentence.

    Attributes:
        pieces: all of it; `trimmed` is what is translated.
        looks: the properties of the runs within each pair of tags, by the pair's number.
        plain: those of the text outside.
        prefix: see `Atom`.
    """

    first: int
    last: int
    pieces: Sequence[Piece]
    trimmed: Trimmed
    looks: dict[int, str]
    plain: str
    prefix: str


def place_of(stretch: Stretch, name: str) -> Place | None:
    """Returns the place of a stretch's sentences; None if it has none."""
    sentences = [each for each in _sentences(stretch.atoms) if is_worded(each.trimmed.pieces)]
    if not sentences:
        return None
    units = tuple(Unit(*unit_text(each.trimmed.pieces), name) for each in sentences)

    def render(translations: Sequence[str | None]) -> list[str]:
        runs: list[str] = []
        position = 0
        for index, (sentence, translation) in enumerate(zip(sentences, translations, strict=True)):
            if translation is not None:
                runs += map(_xml, stretch.atoms[position : sentence.first])
                runs += _written(sentence, translation, index)
                position = sentence.last
        return ["".join([*runs, *map(_xml, stretch.atoms[position:])])]

    return Place(units, (stretch.span,), render)


def _sentences(atoms: Sequence[Atom]) -> Iterator[_Sentence]:
    """Yields the sentences between breaks that are in no container."""
    depth, first = 0, 0
    for index, atom in enumerate(atoms):
        depth += (atom.kind == "open") - (atom.kind == "close")
        if atom.kind == "break" and not depth:
            yield _sentence(atoms, first, index)
            first = index + 1
    yield _sentence(atoms, first, len(atoms))


def _sentence(atoms: Sequence[Atom], first: int, last: int) -> _Sentence:
    """Makes pieces of atoms. The look that most of the text has is no tag; each other one is a pair."""
    own = atoms[first:last]
    properties: dict[str, str] = {}
    for atom in own:
        if atom.kind == "text":
            properties.setdefault(atom.look, atom.source)
    plain = _usual_look(own)
    found = list(_Looks(own, plain).pieces())
    numbered = paired([piece for piece, _, _ in found], [part for _, part, _ in found])
    looks = {
        piece.number: properties.get(look, "")
        for piece, (_, _, look) in zip(numbered, found, strict=True)
        if isinstance(piece, Tag) and look is not None
    }
    pieces = merged(numbered)
    prefix = next((atom.prefix for atom in own if atom.kind == "text"), "")
    return _Sentence(first, last, pieces, trimmed(pieces), looks, properties.get(plain, ""), prefix)


def _usual_look(atoms: Iterable[Atom]) -> str:
    """Returns the look that most of the text has."""
    lengths: Counter[str] = Counter()
    for atom in atoms:
        if atom.kind == "text":
            lengths[atom.look] += len(atom.text)
    return max(lengths, key=lambda look: lengths[look], default="")


_LookPiece = tuple[Piece, Part, str | None]
"""A piece, what it is part of, and the look of the text within the pair that it opens."""


class _Looks:
    """Makes pieces of atoms, with pairs of tags around text that looks otherwise than what is around it.

    Args:
        plain: the look of the text outside of all tags.
    """

    def __init__(self, atoms: Sequence[Atom], plain: str) -> None:
        self._atoms = atoms
        self._around = [plain]
        self._current = plain

    def pieces(self) -> Iterator[_LookPiece]:
        """Yields the pieces."""
        for index, atom in enumerate(self._atoms):
            if atom.kind == "text":
                if atom.look != self._current:
                    yield from self._change(atom.look)
                yield Text(atom.text, atom.text), None, None
            elif atom.kind in ("open", "close"):
                yield from self._change(self._around[-1])
                yield self._container(index, is_open=atom.kind == "open")
            else:
                yield Tag("alone", 0, atom.source), None, None
        yield from self._change(self._around[-1])

    def _change(self, look: str) -> Iterator[_LookPiece]:
        """Ends the pair that is open, if any, and opens one for a look that is not the usual one here."""
        usual = self._around[-1]
        if self._current not in (usual, look):
            yield Tag("alone", 0, ""), (f"look {self._current}", False), None
        if look not in (usual, self._current):
            yield Tag("alone", 0, ""), (f"look {look}", True), look
        self._current = look

    def _container(self, index: int, *, is_open: bool) -> _LookPiece:
        if is_open:
            self._around.append(_usual_look(self._atoms[index : self._end(index)]))
        elif len(self._around) > 1:
            self._around.pop()
        self._current = self._around[-1]
        look = self._current if is_open else None
        return Tag("alone", 0, self._atoms[index].source), ("container", is_open), look

    def _end(self, start: int) -> int:
        """Returns the position of what closes a container."""
        depth = 0
        for index in range(start, len(self._atoms)):
            depth += (self._atoms[index].kind == "open") - (self._atoms[index].kind == "close")
            if not depth:
                return index
        return len(self._atoms)


def _written(sentence: _Sentence, translation: str, index: int) -> Iterator[str]:
    """Yields the XML of a translated sentence, with what is around it. Raises BrokenTags."""
    first, last = sentence.trimmed.first, sentence.trimmed.last
    try:
        translated = read_translation(translation, sentence.trimmed.pieces)
    except BrokenTags as error:
        error.unit = index
        raise
    before, behind = _edges(sentence.pieces[first], sentence.pieces[last - 1])
    yield from _runs([*sentence.pieces[:first], before, *translated, behind, *sentence.pieces[last:]], sentence)


def _edges(first: Piece, last: Piece) -> tuple[str, str]:
    """Returns the white space that the first piece begins with and that the last one ends with."""
    before = first.text[: len(first.text) - len(first.text.lstrip())] if isinstance(first, Text) else ""
    behind = last.text[len(last.text.rstrip()) :] if isinstance(last, Text) else ""
    return before, behind


def _runs(pieces: Iterable[Translated | Piece], sentence: _Sentence) -> Iterator[str]:
    """Yields a run for each text, with the properties of the tags around it, and the other codes."""
    properties = [sentence.plain]
    for piece in pieces:
        if not isinstance(piece, Tag):
            text = piece.text if isinstance(piece, Text) else piece
            if text:
                yield _text_run(sentence.prefix, properties[-1], text)
            continue
        yield piece.target
        if piece.number in sentence.looks and piece.kind == "open":
            properties.append(sentence.looks[piece.number])
        elif piece.kind == "close":
            properties.pop()
