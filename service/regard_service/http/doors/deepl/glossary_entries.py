"""The entries of DeepL's glossaries: a pair of terms a line, as TSV or CSV."""

import csv
from collections.abc import Iterable, Iterator

from regard_service.domain.glossaries import GlossaryEntry
from regard_service.errors import InvalidInput
from regard_service.http.json_fields import shown
from regard_service.validation.glossaries import MAX_GLOSSARY_TERMS

FORMATS = ("tsv", "csv")
_CELLS = {
    "tsv": "a source and a target, with a tab between them",
    "csv": "a source, a target, and maybe their languages",
}


def read_entries(text: str, form: str, path: str) -> tuple[GlossaryEntry, ...]:
    """Reads entries. Of CSV, cells behind the first two hold the languages.

    Args:
        form: one of `FORMATS`.
        path: of the text in the request.

    Raises:
        InvalidInput: names the line and its fault, or there are more entries than a glossary may have.
    """
    rows = _tab_separated(text) if form == "tsv" else _comma_separated(text, path)
    entries = []
    for number, cells in rows:
        if not (len(cells) == 2 or (form == "csv" and len(cells) == 4)):
            raise InvalidInput.of(path, f"line {number}: has {len(cells)} cells; it must have {_CELLS[form]}")
        source, target = cells[0].strip(), cells[1].strip()
        if not (source and target):
            raise InvalidInput.of(path, f"line {number}: the {'target' if source else 'source'} is empty")
        entries.append(GlossaryEntry(source, target, False, True))
        if len(entries) > MAX_GLOSSARY_TERMS:
            raise InvalidInput.of(path, f"holds more than {MAX_GLOSSARY_TERMS} entries, the limit of a glossary")
    _check_unique(entries, path)
    return tuple(entries)


def write_entries(entries: Iterable[GlossaryEntry]) -> str:
    """Writes entries as TSV, which has no column for a term's options."""
    return "\n".join(f"{entry.source}\t{entry.target}" for entry in entries)


def _tab_separated(text: str) -> Iterator[tuple[int, list[str]]]:
    return ((number, line.split("\t")) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def _comma_separated(text: str, path: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise InvalidInput.of(path, f"line {reader.line_num}: {error}") from None


def _check_unique(entries: Iterable[GlossaryEntry], path: str) -> None:
    found: set[str] = set()
    for entry in entries:
        if entry.source in found:
            raise InvalidInput.of(path, f"the source term {shown(entry.source)} is given twice")
        found.add(entry.source)
