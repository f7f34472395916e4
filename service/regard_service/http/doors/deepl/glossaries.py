"""Glossaries: what requests of /v2/glossaries and /v3/glossaries say, and how DeepL writes a glossary."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from regard_service.domain.models import ModelInfo
from regard_service.errors import InvalidInput
from regard_service.http.doors.deepl.catalogue import CataloguedGlossary, Dictionary
from regard_service.http.doors.deepl.glossary_entries import FORMATS, read_entries, write_entries
from regard_service.http.doors.deepl.language_codes import pairs_of, source_code
from regard_service.http.doors.deepl.parameters import Parameters
from regard_service.languages.matching import match
from regard_service.validation.violations import Violations

MAX_NAME_CHARACTERS = 1024


@dataclass(frozen=True)
class GlossaryRequest:
    """A request to create or to change a glossary. Attributes: name: None keeps it."""

    glossary_id: str
    name: str | None
    dictionaries: tuple[Dictionary, ...]


def read_monolingual(parameters: Parameters, glossary_id: str = "") -> GlossaryRequest:
    """Reads a request whose only dictionary stands in its own parameters (version 2). Raises InvalidInput."""
    name = _name(parameters, is_needed=True)
    return _finished(parameters, glossary_id, name, [_Draft.of(parameters)])


def read_multilingual(parameters: Parameters) -> GlossaryRequest:
    """Reads a request to create a glossary (version 3). Raises InvalidInput."""
    name = _name(parameters, is_needed=True)
    drafts = [_Draft.of(each) for each in parameters.items("dictionaries")]
    if not drafts:
        parameters.missing("dictionaries", "is missing; it is a list of objects")
    return _finished(parameters, "", name, drafts)


def read_changes(parameters: Parameters, glossary_id: str) -> GlossaryRequest:
    """Reads a request to change a glossary (version 3). Raises InvalidInput."""
    name = _name(parameters, is_needed=False)
    drafts = [_Draft.of(each) for each in parameters.items("dictionaries")]
    if name is None and not drafts:
        parameters.fault("name", "and dictionaries are missing; there is nothing to change")
    return _finished(parameters, glossary_id, name, drafts)


def read_dictionary(parameters: Parameters, glossary_id: str) -> GlossaryRequest:
    """Reads a request to replace a dictionary (version 3). Raises InvalidInput."""
    return _finished(parameters, glossary_id, None, [_Draft.of(parameters)])


def read_pair(parameters: Parameters, *, is_needed: bool) -> tuple[str, str]:
    """Reads a pair of languages; empty texts if it is missing. Raises InvalidInput."""
    pair = parameters.text("source_lang") or "", parameters.text("target_lang") or ""
    if is_needed or any(pair):
        for name, value in zip(("source_lang", "target_lang"), pair, strict=True):
            if not value:
                parameters.missing(name, "is missing")
    parameters.finish()
    return pair


def check_pairs(dictionaries: Sequence[Dictionary], models: Sequence[ModelInfo], *, is_list: bool) -> None:
    """Refuses dictionaries for languages that no model translates. Raises InvalidInput."""
    violations = Violations()
    offered = pairs_of(models)
    for index, each in enumerate(dictionaries):
        if not any(match(each.source, [source]) and match(each.target, [target]) for source, target in offered):
            path = f"dictionaries[{index}].target_lang" if is_list else "target_lang"
            violations.add(path, f"no model of this server translates {each.source} to {each.target}")
    violations.raise_if_any()


def write_pairs(models: Sequence[ModelInfo]) -> dict[str, Any]:
    """Returns the pairs of languages that glossaries may have."""
    codes = dict.fromkeys((source_code(s).lower(), source_code(t).lower()) for s, t in pairs_of(models))
    return {"supported_languages": [{"source_lang": s, "target_lang": t} for s, t in codes]}


def write_monolingual(glossary: CataloguedGlossary) -> dict[str, Any]:
    """Returns a glossary with one dictionary, as version 2 writes it."""
    return _head(glossary) | {"ready": True} | _described(glossary.dictionaries[0])


def write_multilingual(glossary: CataloguedGlossary) -> dict[str, Any]:
    """Returns a glossary as version 3 writes it."""
    return _head(glossary) | {"dictionaries": [_described(each) for each in glossary.dictionaries]}


def write_dictionary(dictionary: Dictionary) -> dict[str, Any]:
    """Returns a dictionary without its entries."""
    return _described(dictionary)


def write_all_entries(dictionaries: Sequence[Dictionary]) -> dict[str, Any]:
    """Returns dictionaries with their entries."""
    return {
        "dictionaries": [
            {
                "source_lang": each.source.lower(),
                "target_lang": each.target.lower(),
                "entries": write_entries(each.entries),
                "entries_format": "tsv",
            }
            for each in dictionaries
        ]
    }


def _head(glossary: CataloguedGlossary) -> dict[str, Any]:
    created = glossary.created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"glossary_id": glossary.id, "name": glossary.name, "creation_time": created}


def _described(dictionary: Dictionary) -> dict[str, Any]:
    return {
        "source_lang": dictionary.source.lower(),
        "target_lang": dictionary.target.lower(),
        "entry_count": len(dictionary.entries),
    }


def _name(parameters: Parameters, *, is_needed: bool) -> str | None:
    name = parameters.text("name")
    if not name and (is_needed or name is not None):
        parameters.missing("name", "is missing, or empty")
    elif name is not None and len(name) > MAX_NAME_CHARACTERS:
        parameters.fault("name", f"has {len(name)} characters; the limit is {MAX_NAME_CHARACTERS}")
    return name


@dataclass(frozen=True)
class _Draft:
    """A dictionary whose entries are not read yet."""

    source: str
    target: str
    entries: str
    form: str
    path: str

    @classmethod
    def of(cls, parameters: Parameters) -> "_Draft":
        texts = {name: parameters.text(name) for name in ("source_lang", "target_lang", "entries")}
        for name, value in texts.items():
            if not value:
                parameters.missing(name, "is missing, or empty")
        form = parameters.choice("entries_format", FORMATS) or FORMATS[0]
        source, target, entries = (value or "" for value in texts.values())
        parameters.refuse_others()
        return cls(source, target, entries, form, parameters.path("entries"))

    def read(self) -> Dictionary:
        """Returns the dictionary. Raises InvalidInput."""
        source, target = (source_code(each).lower() for each in (self.source, self.target))
        return Dictionary(source, target, read_entries(self.entries, self.form, self.path))


def _finished(parameters: Parameters, glossary_id: str, name: str | None, drafts: Sequence[_Draft]) -> GlossaryRequest:
    """Returns the request, if nothing is wrong with it. Raises InvalidInput with every violation."""
    parameters.finish()
    dictionaries, violations = [], Violations()
    for draft in drafts:
        try:
            dictionaries.append(draft.read())
        except InvalidInput as error:
            violations.found += error.violations
    violations.raise_if_any()
    return GlossaryRequest(glossary_id, name, tuple(dictionaries))
