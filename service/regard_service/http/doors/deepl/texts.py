"""The calls about texts and languages."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from regard_service.errors import GlossaryNotFound, InvalidInput, ModelNotFound
from regard_service.http.context import HttpContext
from regard_service.http.doors.backend import DoorBackend
from regard_service.http.doors.deepl import translations
from regard_service.http.doors.deepl.catalogue import Catalogue, dictionary_of
from regard_service.http.doors.deepl.language_codes import check_translated, pairs_of, source_code, target_codes
from regard_service.http.doors.deepl.parameters import Parameters
from regard_service.http.doors.deepl.translations import Languages, TextRequest, with_own_names
from regard_service.http.doors.door import Answer
from regard_service.http.doors.given import Given
from regard_service.languages.english_names import english_name

DOOR = "deepl"
UNUSED_HEADER = "regard-unused-parameters"

NO_LIMIT = 1_000_000_000_000
"""What DeepL states for contracts without a limit."""


def read_texts(given: Given) -> TextRequest:
    """Reads a request of /v2/translate."""
    return translations.read_texts(Parameters.of(given.fields))


async def translate(request: TextRequest, backend: DoorBackend, context: HttpContext) -> Answer:
    """Translates texts."""
    names = await glossary_names(backend, request.glossary_ids, request.languages)
    request.message.glossaries.extend(names)
    with naming(request.languages, request.glossary_ids, backend):
        results = await backend.translate(request.message, context, request.elements)
    backend.characters.count(DOOR, sum(request.sizes))
    headers = {UNUSED_HEADER: ", ".join(request.unused)} if request.unused else {}
    return Answer(translations.write_texts(request, results), headers=headers)


@contextmanager
def naming(languages: Languages, glossary_ids: tuple[str, ...], backend: DoorBackend) -> Iterator[None]:
    """Makes errors name DeepL's parameters. Languages that no model translates are a bad value, as DeepL has it.

    Raises:
        InvalidInput, ModelNotFound
    """
    try:
        yield
    except InvalidInput as error:
        raise with_own_names(error, glossary_ids) from error
    except ModelNotFound:
        check_translated(languages.source, languages.target, backend.models())
        raise


async def glossary_names(backend: DoorBackend, ids: tuple[str, ...], languages: Languages) -> list[str]:
    """Returns the server's own glossaries for a pair of languages.

    Raises:
        GlossaryNotFound: there is none of an ID.
        InvalidInput: one has no dictionary for these languages.
    """
    return await asyncio.to_thread(_glossary_names, Catalogue(backend.glossaries), ids, languages) if ids else []


def _glossary_names(catalogue: Catalogue, ids: tuple[str, ...], languages: Languages) -> list[str]:
    names = []
    for each in ids:
        glossary = catalogue.get(each)
        try:
            names.append(dictionary_of(glossary, languages.source, languages.target).stored)
        except GlossaryNotFound as error:
            raise InvalidInput.of("glossary_id" if len(ids) == 1 else "glossary_ids", str(error)) from error
    return names


def read_language_type(given: Given) -> str:
    """Reads which languages are asked for."""
    parameters = Parameters.of(given.fields)
    kind = parameters.choice("type", ("source", "target")) or "source"
    parameters.finish()
    return kind


async def languages(kind: str, backend: DoorBackend, context: HttpContext) -> Answer:
    """Lists the languages that the loaded models read, or those that they write."""
    pairs = pairs_of(backend.models())
    if kind == "source":
        codes = sorted({source_code(source) for source, _ in pairs})
        return Answer([{"language": code, "name": english_name(code)} for code in codes])
    codes = sorted({code for _, target in pairs for code in target_codes(target)})
    return Answer([{"language": code, "name": english_name(code), "supports_formality": False} for code in codes])


async def usage(message: None, backend: DoorBackend, context: HttpContext) -> Answer:
    """Says how many characters the caller has sent since the server started. There is no limit."""
    return Answer({"character_count": await backend.characters.used(DOOR), "character_limit": NO_LIMIT})
