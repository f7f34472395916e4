"""The calls about glossaries."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from regard_service.errors import GlossaryNotFound, InvalidInput
from regard_service.http.context import HttpContext
from regard_service.http.doors.backend import DoorBackend
from regard_service.http.doors.deepl import glossaries
from regard_service.http.doors.deepl.catalogue import Catalogue, CataloguedGlossary, dictionary_of
from regard_service.http.doors.deepl.glossaries import GlossaryRequest
from regard_service.http.doors.deepl.glossary_entries import write_entries
from regard_service.http.doors.deepl.parameters import Parameters
from regard_service.http.doors.door import Answer
from regard_service.http.doors.given import Given

TSV = "text/tab-separated-values"
T = TypeVar("T")


def nothing(given: Given) -> None:
    """Reads a request without parameters."""
    Parameters.of(given.fields).finish()


async def glossary_pairs(message: None, backend: DoorBackend, context: HttpContext) -> Answer:
    """Lists the pairs of languages that glossaries may have."""
    return Answer(glossaries.write_pairs(backend.models()))


def glossary_id(given: Given) -> str:
    """Reads a request that only names a glossary."""
    nothing(given)
    return in_path(given)


def in_path(given: Given) -> str:
    """Returns the glossary that the path names."""
    return (given.in_path or {})["glossary_id"]


def read_monolingual(given: Given) -> GlossaryRequest:
    """Reads a request to create a glossary of version 2."""
    return glossaries.read_monolingual(Parameters.of(given.fields))


def read_multilingual(given: Given) -> GlossaryRequest:
    """Reads a request to create a glossary of version 3."""
    return glossaries.read_multilingual(Parameters.of(given.fields))


def read_changes(given: Given) -> GlossaryRequest:
    """Reads a request to change a glossary of version 3."""
    return glossaries.read_changes(Parameters.of(given.fields), in_path(given))


def read_dictionary(given: Given) -> GlossaryRequest:
    """Reads a request to replace a dictionary."""
    return glossaries.read_dictionary(Parameters.of(given.fields), in_path(given))


def read_dictionary_pair(given: Given) -> tuple[str, str, str]:
    """Reads a request that names a dictionary, with both languages."""
    return (in_path(given), *glossaries.read_pair(Parameters.of(given.fields), is_needed=True))


def read_entries_pair(given: Given) -> tuple[str, str, str]:
    """Reads a request that may name a dictionary."""
    return (in_path(given), *glossaries.read_pair(Parameters.of(given.fields), is_needed=False))


async def create_monolingual(request: GlossaryRequest, backend: DoorBackend, context: HttpContext) -> Answer:
    """Keeps a glossary of version 2."""
    try:
        return Answer(glossaries.write_monolingual(await _create(request, backend)), status=201)
    except InvalidInput as error:  # its only dictionary stands in the request itself
        raise error.renamed(lambda path: path.removeprefix("dictionaries[0].")) from error


async def create_multilingual(request: GlossaryRequest, backend: DoorBackend, context: HttpContext) -> Answer:
    """Keeps a glossary of version 3."""
    return Answer(glossaries.write_multilingual(await _create(request, backend)), status=201)


async def _create(request: GlossaryRequest, backend: DoorBackend) -> CataloguedGlossary:
    glossaries.check_pairs(request.dictionaries, backend.models(), is_list=True)
    return await _in_catalogue(backend, lambda c: c.create(request.name or "", request.dictionaries))


async def change(request: GlossaryRequest, backend: DoorBackend, context: HttpContext) -> Answer:
    """Renames a glossary, and adds entries and dictionaries to it."""
    glossaries.check_pairs(request.dictionaries, backend.models(), is_list=True)
    changed = await _in_catalogue(
        backend, lambda c: c.change(request.glossary_id, request.name, request.dictionaries, merges=True)
    )
    return Answer(glossaries.write_multilingual(changed))


async def replace_dictionary(request: GlossaryRequest, backend: DoorBackend, context: HttpContext) -> Answer:
    """Replaces the entries of a dictionary, or adds the dictionary."""
    glossaries.check_pairs(request.dictionaries, backend.models(), is_list=False)
    changed = await _in_catalogue(
        backend, lambda c: c.change(request.glossary_id, None, request.dictionaries, merges=False)
    )
    (new,) = request.dictionaries
    return Answer(glossaries.write_dictionary(dictionary_of(changed, new.source, new.target)))


async def list_monolingual(message: None, backend: DoorBackend, context: HttpContext) -> Answer:
    """Lists the glossaries that have one dictionary."""
    found = await _in_catalogue(backend, Catalogue.all)
    written = [glossaries.write_monolingual(each) for each in found if len(each.dictionaries) == 1]
    return Answer({"glossaries": written})


async def list_multilingual(message: None, backend: DoorBackend, context: HttpContext) -> Answer:
    """Lists the glossaries."""
    found = await _in_catalogue(backend, Catalogue.all)
    return Answer({"glossaries": [glossaries.write_multilingual(each) for each in found]})


async def get_monolingual(glossary: str, backend: DoorBackend, context: HttpContext) -> Answer:
    """Returns a glossary that has one dictionary."""
    return Answer(glossaries.write_monolingual(await _monolingual(glossary, backend)))


async def get_multilingual(glossary: str, backend: DoorBackend, context: HttpContext) -> Answer:
    """Returns a glossary."""
    return Answer(glossaries.write_multilingual(await _in_catalogue(backend, lambda c: c.get(glossary))))


async def monolingual_entries(glossary: str, backend: DoorBackend, context: HttpContext) -> Answer:
    """Returns the entries of a glossary that has one dictionary."""
    found = await _monolingual(glossary, backend)
    return Answer(write_entries(found.dictionaries[0].entries).encode(), TSV)


async def entries(request: tuple[str, str, str], backend: DoorBackend, context: HttpContext) -> Answer:
    """Returns the entries of one dictionary, or of all."""
    glossary, source, target = request
    found = await _in_catalogue(backend, lambda c: c.get(glossary))
    dictionaries = [dictionary_of(found, source, target)] if source else found.dictionaries
    return Answer(glossaries.write_all_entries(dictionaries))


async def delete(glossary: str, backend: DoorBackend, context: HttpContext) -> Answer:
    """Deletes a glossary."""
    await _in_catalogue(backend, lambda c: c.delete(glossary))
    return Answer(b"", status=204)


async def delete_dictionary(request: tuple[str, str, str], backend: DoorBackend, context: HttpContext) -> Answer:
    """Deletes a dictionary."""
    await _in_catalogue(backend, lambda c: c.delete_dictionary(*request))
    return Answer(b"", status=204)


async def _monolingual(glossary: str, backend: DoorBackend) -> CataloguedGlossary:
    """Returns a glossary of version 2. Raises GlossaryNotFound also for one of several dictionaries."""
    found = await _in_catalogue(backend, lambda c: c.get(glossary))
    if len(found.dictionaries) > 1:
        raise GlossaryNotFound(f"glossary {glossary!r} has several dictionaries, which only /v3/glossaries shows")
    return found


async def _in_catalogue(backend: DoorBackend, work: Callable[[Catalogue], T]) -> T:
    return await asyncio.to_thread(work, Catalogue(backend.glossaries))
