"""DOCX: the paragraphs of a text document, its tables, headers, footers and notes.

Only the parts that hold text are parsed, and only the paragraphs that are translated are written anew; all other parts
are copied. A file that expands beyond a limit is refused before it is expanded (a "zip bomb").
"""

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from regard_service.documents.encoding import decode, has_mark
from regard_service.documents.places import Place, bounded, rendered, spliced, units_of
from regard_service.documents.unit import Document, DocumentOptions, Fault, Unit, Written, refused
from regard_service.documents.word_paragraphs import ParagraphReader, place_of
from regard_service.documents.xml_source import Element, declared_encoding, parsed

MAX_MEMBERS = 20_000
CHECKED_AT_A_TIME = 2**18
# What reading a damaged ZIP file raises: zipfile's own errors, those of each decompressor, and those of wrong numbers.
ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, LookupError, OSError, OverflowError, RuntimeError, ValueError),
)
_TYPES = "[Content_Types].xml"
_PARTS = re.compile(r"(?:document|template)\.main\+xml$|(?:header|footer|footnotes|endnotes)\+xml$")
_TRANSITIONAL = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_NAMESPACES = (_TRANSITIONAL, "http://purl.oclc.org/ooxml/wordprocessingml/main")


def open_word(data: bytes, options: DocumentOptions) -> Document:
    """Reads a DOCX file. Raises InvalidInput."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_size(archive, options.max_expanded_bytes)
            _check_members(archive)
            parts = [part for name in _text_parts(archive) for part in _parts(name, _read(archive, name))]
    except ZIP_ERRORS as error:
        raise refused(f"is no DOCX: {error}") from None
    limited = [bounded(part.places, options) for part in parts]
    parts = [replace(part, places=places) for part, (places, _) in zip(parts, limited, strict=True)]
    return _WordDocument(data, parts, tuple(note for _, notes in limited for note in notes))


def _check_size(archive: zipfile.ZipFile, limit: int) -> None:
    """Raises InvalidInput if the file's own directory says that it expands beyond the limit."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise refused(f"is a ZIP file of {len(members)} members; the limit is {MAX_MEMBERS}")
    expanded = sum(member.file_size for member in members)
    if expanded > limit:
        raise refused(f"expands to {expanded} bytes; the limit is {limit}")


def _check_members(archive: zipfile.ZipFile) -> None:
    """Reads every member: one that is copied must not turn out to be damaged after all texts are translated."""
    for member in archive.infolist():
        if not member.filename:
            raise refused("is a ZIP file with a member without a name")
        with archive.open(member) as file:
            while file.read(CHECKED_AT_A_TIME):
                pass


def _text_parts(archive: zipfile.ZipFile) -> list[str]:
    """Returns the names of the parts that hold text, the main one first."""
    types = parsed(decode(_read(archive, _TYPES)).text, _TYPES)
    found = [
        each.attributes.get("PartName", "").lstrip("/")
        for each in types.children
        if each.name == "Override" and _PARTS.search(each.attributes.get("ContentType", ""))
    ]
    names = set(archive.namelist())
    return sorted((name for name in found if name in names), key=lambda name: ("document" not in name, name))


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    """Reads a member, up to the size that the directory says: more is not expanded."""
    member = archive.getinfo(name)
    with archive.open(member) as file:
        return file.read(member.file_size)


@dataclass(frozen=True)
class _Part:
    """A part of the file that holds text."""

    name: str
    text: str
    places: Sequence[Place]


def _parts(name: str, data: bytes) -> Iterator[_Part]:
    decoded = decode(data, "" if has_mark(data) else declared_encoding(data))
    root = parsed(decoded.text, name)
    if root.namespace not in _NAMESPACES:
        raise refused(f"{name} is not of WordprocessingML but of {root.namespace[:80]!r}")
    yield _Part(name, decoded.text, list(_places(name, decoded.text, root)))


def _places(name: str, text: str, root: Element) -> Iterator[Place]:
    reader = ParagraphReader(text)
    paragraphs = (each for each in root.all() if each.name == "p" and each.namespace == root.namespace)
    for number, paragraph in enumerate(paragraphs, 1):
        for stretch in reader.stretches(paragraph):
            found = place_of(stretch, f"{name.rpartition('/')[2]} paragraph {number}")
            if found is not None:
                yield found


@dataclass(frozen=True)
class _WordDocument:
    """A DOCX file."""

    _data: bytes
    _parts: Sequence[_Part]
    _notes: tuple[Fault, ...]

    @property
    def units(self) -> Sequence[Unit]:
        """The sentences between breaks of all paragraphs."""
        return [unit for part in self._parts for unit in units_of(part.places)]

    def write(self, translations: Sequence[str | None]) -> Written:
        """Returns the file with the translations; the file itself if there are none."""
        changed: dict[str, bytes] = {}
        faults = list(self._notes)
        start = 0
        for part in self._parts:
            end = start + len(units_of(part.places))
            replacements, found = rendered(part.places, translations[start:end])
            faults += [fault._replace(unit=start + (fault.unit or 0)) for fault in found]
            if replacements:
                changed[part.name] = _as_utf8(spliced(part.text, replacements))
            start = end
        return Written(_rewritten(self._data, changed) if changed else self._data, tuple(faults))


def _as_utf8(text: str) -> bytes:
    """Encodes a part; parts are UTF-8 or UTF-16, and become UTF-8."""
    return re.sub(r"(<\?xml[^>]*?encoding\s*=\s*)[\"'][^\"']*[\"']", r'\1"UTF-8"', text, count=1).encode()


def _rewritten(data: bytes, changed: dict[str, bytes]) -> bytes:
    """Copies a ZIP file with some members changed, in the same order, with the same names, dates and compression."""
    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(output, "w") as target:
        target.comment = source.comment
        for member in source.infolist():
            content = changed.get(member.filename)
            target.writestr(member, _read(source, member.filename) if content is None else content)
    return output.getvalue()
