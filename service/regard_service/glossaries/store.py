"""The glossaries of a server: a file each, "NAME.SOURCE-TARGET.tsv", in a folder.

Whoever can write to the folder may put files there: a glossary is read again when its file has changed.
"""

import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path

from regard_service.domain.glossaries import Glossary, GlossaryEntry
from regard_service.errors import GlossaryNotFound, InvalidInput, NotReady, Unsupported, there_are
from regard_service.glossaries import tab_separated
from regard_service.glossaries.malformed import MalformedGlossary
from regard_service.passages.terms.finding import TermFinder, contradictions
from regard_service.validation.glossaries import MAX_GLOSSARY_TERMS, glossary_name_fault, phrase_fault
from regard_service.validation.violations import Violations

_FILE = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9_-]{0,63})\.(?P<source>[A-Za-z0-9_]+)-(?P<target>[A-Za-z0-9_]+)\.tsv"
)


@dataclass(frozen=True)
class _Kept:
    glossary: Glossary
    finder: TermFinder
    stamp: tuple[int, int]


class GlossaryStore:
    """Reads, keeps and deletes glossaries. Safe in several threads.

    Args:
        folder: None keeps none.

    Attributes:
        changing: for who changes several glossaries at once.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._kept: dict[Path, _Kept] = {}
        self._lock = threading.Lock()
        self.changing = threading.Lock()

    @property
    def folder(self) -> Path | None:
        """The folder; None keeps no glossaries."""
        return self._folder

    def changed_at(self, name: str) -> float:
        """Returns when a glossary's file was written, as POSIX time. Raises GlossaryNotFound."""
        path = self._files().get(name)
        if path is None:
            raise GlossaryNotFound(f"there is no glossary {name!r}")
        return path.stat().st_mtime

    def names(self) -> list[str]:
        """Returns the names, in order."""
        return sorted(self._files())

    def get(self, name: str) -> Glossary:
        """Returns a glossary. Raises as `find`."""
        return self.find(name)[0]

    def find(self, name: str) -> tuple[Glossary, TermFinder]:
        """Returns a glossary, and what finds its terms.

        Raises:
            GlossaryNotFound: there is none of that name.
            NotReady: its file cannot be read.
        """
        path = self._files().get(name)
        if path is None:
            raise GlossaryNotFound(f"there is no glossary {name!r}; {there_are(self.names()[:32])}")
        with self._lock:
            return self._read(path)

    def put(self, glossary: Glossary) -> None:
        """Keeps a glossary, in place of another one of that name. Raises InvalidInput, Unsupported."""
        folder = self._writable()
        check(glossary)
        old = self._files().get(glossary.name)
        languages = (language.replace("-", "_") for language in (glossary.source_language, glossary.target_language))
        path = folder / f"{glossary.name}.{'-'.join(languages)}.tsv"
        with self._lock:
            folder.mkdir(parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            new.write_bytes(tab_separated.write(glossary.entries))
            os.replace(new, path)
            if old is not None and old != path:
                old.unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        """Deletes a glossary. Raises GlossaryNotFound, Unsupported."""
        self._writable()
        path = self._files().get(name)
        if path is None:
            raise GlossaryNotFound(f"there is no glossary {name!r}")
        with self._lock:
            path.unlink(missing_ok=True)
            self._kept.pop(path, None)

    def _writable(self) -> Path:
        if self._folder is None:
            raise Unsupported("this server keeps no glossaries; glossary_directory sets a folder for them")
        return self._folder

    def _files(self) -> dict[str, Path]:
        if self._folder is None or not self._folder.is_dir():
            return {}
        found = sorted(self._folder.iterdir())
        return {match["name"]: path for path in found if (match := _FILE.fullmatch(path.name)) is not None}

    def _read(self, path: Path) -> tuple[Glossary, TermFinder]:
        """Reads a file that has changed since it was read last."""
        match = _FILE.fullmatch(path.name)
        try:
            status = path.stat()
            stamp = status.st_mtime_ns, status.st_size
            kept = self._kept.get(path)
            if kept is None or kept.stamp != stamp:
                entries = tuple(tab_separated.read(path.read_bytes()))
                source, target = (match[side].replace("_", "-") for side in ("source", "target")) if match else ("", "")
                glossary = Glossary(match["name"] if match else "", source, target, entries)
                check(glossary)
                finder = TermFinder((entry, f"glossary {glossary.name}[{i}]") for i, entry in enumerate(entries))
                kept = self._kept[path] = _Kept(glossary, finder, stamp)
        except (OSError, MalformedGlossary, InvalidInput) as error:
            raise NotReady(f"glossary file {path.name} cannot be used: {error}") from error
        return kept.glossary, kept.finder


def check(glossary: Glossary) -> None:
    """Checks a glossary. Raises InvalidInput with every violation."""
    violations = Violations()
    violations.add_if("name", glossary_name_fault(glossary.name))
    for side in ("source_language", "target_language"):
        if not re.fullmatch(r"[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*", getattr(glossary, side)):
            violations.add(side, "must be a language, as BCP 47 code")
    if not glossary.entries:
        violations.add("terms", "is empty")
    if len(glossary.entries) > MAX_GLOSSARY_TERMS:
        violations.add("terms", f"holds {len(glossary.entries)}; the limit is {MAX_GLOSSARY_TERMS}")
    _check_entries(glossary.entries, violations)
    violations.raise_if_any()


def _check_entries(entries: tuple[GlossaryEntry, ...], violations: Violations) -> None:
    for index, entry in enumerate(entries):
        for side in ("source", "target"):
            violations.add_if(f"terms[{index}].{side}", phrase_fault(getattr(entry, side)))
    for index, description in contradictions(entries):
        violations.add(f"terms[{index}]", f"contradicts an earlier term: {description}")
