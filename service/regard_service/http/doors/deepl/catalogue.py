"""DeepL's glossaries over the server's own, which have a name and one pair of languages.

One of DeepL's has an ID, a name of any words, a time of creation, and a dictionary for each of its pairs of languages.
Each dictionary is a glossary of the server, which every call can name; the rest stands in a record beside them,
"ID.deepl.json". A glossary without a record is one of DeepL's too, whose ID is its name.
"""

import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from regard_service.domain.glossaries import Glossary, GlossaryEntry
from regard_service.errors import GlossaryNotFound, InvalidInput, NotReady, Unsupported
from regard_service.glossaries.store import GlossaryStore
from regard_service.languages.matching import match

MAX_SLUG = 31
NUM_ID_BYTES = 4

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NO_SLUG = re.compile(r"[^a-z0-9]+")
_SUFFIX = ".deepl.json"


@dataclass(frozen=True)
class Dictionary:
    """The entries of one pair of languages.

    Attributes:
        stored: the name of the server's own glossary; "" for one that is not stored yet.
    """

    source: str
    target: str
    entries: tuple[GlossaryEntry, ...]
    stored: str = ""

    def is_of(self, source: str, target: str) -> bool:
        """Whether it is for a pair of languages, variants aside."""
        return match(source, [self.source]) is not None and match(target, [self.target]) is not None


@dataclass(frozen=True)
class CataloguedGlossary:
    """One of DeepL's glossaries."""

    id: str
    name: str
    created: datetime
    dictionaries: tuple[Dictionary, ...]

    def find(self, source: str, target: str) -> Dictionary | None:
        """Returns the dictionary of a pair of languages."""
        return next((each for each in self.dictionaries if each.is_of(source, target)), None)


@dataclass(frozen=True)
class _Record:
    name: str
    created: datetime
    stored: tuple[str, ...]


class Catalogue:
    """Reads, keeps and deletes DeepL's glossaries. Every method blocks; safe in several threads."""

    def __init__(self, store: GlossaryStore) -> None:
        self._store = store

    def all(self) -> list[CataloguedGlossary]:
        """Returns the glossaries: those with a record, then the others, each by their IDs."""
        records = dict(self._records())
        known = {name for record in records.values() for name in record.stored}
        catalogued = [self._read(glossary_id, record) for glossary_id, record in sorted(records.items())]
        others = [self._without_record(name) for name in self._store.names() if name not in known]
        return [each for each in (*catalogued, *others) if each.dictionaries]

    def get(self, glossary_id: str) -> CataloguedGlossary:
        """Returns a glossary. Raises GlossaryNotFound."""
        if not _ID.fullmatch(glossary_id):
            raise _not_found(glossary_id)
        record = self._record(glossary_id)
        if record is None:
            if glossary_id not in self._store.names():
                raise _not_found(glossary_id)
            return self._without_record(glossary_id)
        found = self._read(glossary_id, record)
        if not found.dictionaries:
            raise _not_found(glossary_id)
        return found

    def create(self, name: str, dictionaries: Sequence[Dictionary]) -> CataloguedGlossary:
        """Keeps a new glossary: all of its dictionaries, or none. Raises InvalidInput, Unsupported."""
        glossary_id = f"{_slug(name)}-{secrets.token_hex(NUM_ID_BYTES)}"
        new = CataloguedGlossary(glossary_id, name, datetime.now(UTC), ())
        with self._store.changing:
            try:
                for index, dictionary in enumerate(dictionaries):
                    new = self._with(new, dictionary, f"dictionaries[{index}].")
                self._write(new)
            except BaseException:
                self._delete(new)
                raise
        return new

    def change(
        self, glossary_id: str, name: str | None, dictionaries: Sequence[Dictionary], *, merges: bool
    ) -> CataloguedGlossary:
        """Renames a glossary, and changes dictionaries or adds them.

        Args:
            name: None keeps it.
            merges: entries of a dictionary that is there stay, where the new ones have no others for their terms.

        Raises:
            GlossaryNotFound, InvalidInput, Unsupported
        """
        with self._store.changing:
            changed = self.get(glossary_id)
            for index, each in enumerate(dictionaries):
                found = changed.find(each.source, each.target)
                if merges and found is not None:
                    each = replace(each, entries=_merged(found.entries, each.entries))
                changed = self._with(changed, each, f"dictionaries[{index}]." if merges else "")
            changed = changed if name is None else replace(changed, name=name)
            self._write(changed)
        return changed

    def delete(self, glossary_id: str) -> None:
        """Deletes a glossary. Raises GlossaryNotFound, Unsupported."""
        with self._store.changing:
            self._delete(self.get(glossary_id))

    def delete_dictionary(self, glossary_id: str, source: str, target: str) -> None:
        """Deletes a dictionary, and with the last one the glossary. Raises GlossaryNotFound, Unsupported."""
        with self._store.changing:
            found = self.get(glossary_id)
            dictionary = dictionary_of(found, source, target)
            left = tuple(each for each in found.dictionaries if each is not dictionary)
            if not left:
                self._delete(found)
                return
            self._store.delete(dictionary.stored)
            self._write(replace(found, dictionaries=left))

    def _with(self, glossary: CataloguedGlossary, new: Dictionary, path: str) -> CataloguedGlossary:
        """Stores a dictionary and returns the glossary with it. Args: path: of the dictionary in the request."""
        old = glossary.find(new.source, new.target)
        stored = _name_of(glossary, new) if old is None else old.stored
        if old is not None:
            new = replace(new, source=old.source, target=old.target)
        try:
            self._store.put(Glossary(stored, new.source, new.target, new.entries))
        except InvalidInput as error:
            raise error.renamed(lambda field: path + field.replace("terms", "entries", 1)) from error
        others = tuple(each for each in glossary.dictionaries if each is not old)
        return replace(glossary, dictionaries=(*others, replace(new, stored=stored)))

    def _delete(self, glossary: CataloguedGlossary) -> None:
        for dictionary in glossary.dictionaries:
            self._store.delete(dictionary.stored)
        self._folder().joinpath(glossary.id + _SUFFIX).unlink(missing_ok=True)

    def _read(self, glossary_id: str, record: _Record) -> CataloguedGlossary:
        dictionaries = tuple(self._dictionaries(record.stored))
        return CataloguedGlossary(glossary_id, record.name, record.created, dictionaries)

    def _dictionaries(self, names: Sequence[str]) -> Iterator[Dictionary]:
        """Yields the dictionaries that are there: whoever may change glossaries may delete one."""
        for name in names:
            try:
                found = self._store.get(name)
            except GlossaryNotFound:
                continue
            yield Dictionary(found.source_language, found.target_language, found.entries, name)

    def _without_record(self, name: str) -> CataloguedGlossary:
        created = datetime.fromtimestamp(self._store.changed_at(name), UTC)
        return CataloguedGlossary(name, name, created, tuple(self._dictionaries([name])))

    def _folder(self) -> Path:
        if self._store.folder is None:
            raise Unsupported("this server keeps no glossaries; glossary_directory sets a folder for them")
        return self._store.folder

    def _records(self) -> Iterator[tuple[str, _Record]]:
        folder = self._store.folder
        for path in folder.glob(f"*{_SUFFIX}") if folder is not None and folder.is_dir() else ():
            record = self._record(path.name.removesuffix(_SUFFIX))
            if record is not None:
                yield path.name.removesuffix(_SUFFIX), record

    def _record(self, glossary_id: str) -> _Record | None:
        if self._store.folder is None:
            return None
        path = self._store.folder / (glossary_id + _SUFFIX)
        try:
            value = json.loads(path.read_bytes())
            return _Record(value["name"], datetime.fromisoformat(value["created"]), tuple(value["stored"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NotReady(f"glossary file {path.name} cannot be used: {error}") from error

    def _write(self, glossary: CataloguedGlossary) -> None:
        value = {
            "name": glossary.name,
            "created": glossary.created.isoformat(),
            "stored": [each.stored for each in glossary.dictionaries],
        }
        path = self._folder() / (glossary.id + _SUFFIX)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
        os.replace(new, path)


def dictionary_of(glossary: CataloguedGlossary, source: str, target: str) -> Dictionary:
    """Returns the dictionary of a pair of languages. Raises GlossaryNotFound."""
    found = glossary.find(source, target)
    if found is None:
        have = ", ".join(f"{each.source} to {each.target}" for each in glossary.dictionaries)
        raise GlossaryNotFound(f"glossary {glossary.id!r} has no dictionary {source} to {target}; it has {have}")
    return found


def _merged(old: Sequence[GlossaryEntry], new: Sequence[GlossaryEntry]) -> tuple[GlossaryEntry, ...]:
    changed = {entry.source for entry in new}
    return (*(entry for entry in old if entry.source not in changed), *new)


def _name_of(glossary: CataloguedGlossary, new: Dictionary) -> str:
    """Returns the name of the server's own glossary: the ID for the first dictionary."""
    if all(each.stored != glossary.id for each in glossary.dictionaries):
        return glossary.id
    return f"{glossary.id}_{new.source}-{new.target}"


def _slug(name: str) -> str:
    """Returns what of a name an ID may show."""
    return _NO_SLUG.sub("-", name.lower()).strip("-")[:MAX_SLUG].strip("-") or "glossary"


def _not_found(glossary_id: str) -> GlossaryNotFound:
    return GlossaryNotFound(f"there is no glossary {glossary_id[:80]!r}")
