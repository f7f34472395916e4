"""Terms as lines of a text, which spreadsheets and other translators write too: source, target, options."""

from collections.abc import Iterable, Iterator

from regard_service.domain.glossaries import GlossaryEntry
from regard_service.glossaries.malformed import MalformedGlossary

_CASE, _PART = "case", "part"


def read(content: bytes) -> Iterator[GlossaryEntry]:
    """Yields the entries of a file: a line a term, and its cells between tabs. Empty lines, and lines that begin with
    "#", are left out.

    Raises:
        MalformedGlossary: with the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedGlossary(f"is not UTF-8, at byte {error.start}") from None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if not 2 <= len(cells) <= 3:
            raise MalformedGlossary(f"line {number}: has {len(cells)} cells; it has a source, a target and options")
        options = set(cells[2].replace(",", " ").split()) if len(cells) == 3 else set()
        if not options <= {_CASE, _PART}:
            raise MalformedGlossary(f"line {number}: {cells[2]!r} is neither {_CASE!r} nor {_PART!r}")
        yield GlossaryEntry(cells[0], cells[1], _CASE in options, _PART not in options)


def write(entries: Iterable[GlossaryEntry]) -> bytes:
    """Writes entries, which have neither tabs nor line breaks. A source that begins with "#" gets a space before it."""
    lines = []
    for entry in entries:
        options = [_CASE] * entry.is_case_sensitive + [_PART] * (not entry.is_whole_word)
        cells = [
            " " * entry.source.startswith("#") + entry.source,
            entry.target,
            *([",".join(options)] if options else []),
        ]
        lines.append("\t".join(cells) + "\n")
    return "".join(lines).encode()
