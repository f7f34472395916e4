"""Reads requests about glossaries, and writes glossaries."""

from collections.abc import Callable, Iterator
from itertools import islice

from regard.v1 import regard_pb2 as pb
from regard_service.convert.checks import Checks
from regard_service.convert.control import read_entries, write_entry
from regard_service.domain.glossaries import Glossary, GlossaryEntry
from regard_service.errors import InvalidInput
from regard_service.validation.glossaries import MAX_GLOSSARY_TERMS, MAX_TERMS
from regard_service.validation.texts import EMPTY

ReadFile = Callable[[bytes, str, str, str], Iterator[GlossaryEntry]]
"""Reads a file: its content, its media type, the source and the target language. Raises InvalidInput."""


def read_glossary(request: pb.PutGlossaryRequest, read_file: ReadFile) -> Glossary:
    """Reads a glossary to keep. Raises InvalidInput with every violation."""
    checks = Checks()
    if bool(request.terms) == bool(request.file):
        fault = "is given, and so is file" if request.terms else "is empty, and so is file"
        checks.add("terms", f"{fault}; one of them holds the terms")
        checks.raise_if_any()
    if len(request.terms) > MAX_TERMS:
        checks.add("terms", f"holds {len(request.terms)}; the limit is {MAX_TERMS}; a file may have more")
        checks.raise_if_any()
    entries = tuple(read_entries(Checks(), request.terms, "terms"))  # the store checks them
    if request.file:
        languages = request.source_language, request.target_language
        read = read_file(request.file, request.media_type, *languages)
        entries = tuple(islice(read, MAX_GLOSSARY_TERMS + 1))  # of more, none is read: the store refuses them
    return Glossary(request.name, request.source_language, request.target_language, entries)


def read_glossary_name(name: str) -> str:
    """Returns the name of a glossary. Raises InvalidInput if it is empty."""
    if not name:
        raise InvalidInput.of("name", EMPTY)
    return name


def write_glossary(glossary: Glossary) -> pb.Glossary:
    """Writes a glossary without its terms."""
    return pb.Glossary(
        name=glossary.name,
        source_language=glossary.source_language,
        target_language=glossary.target_language,
        num_terms=len(glossary.entries),
    )


def write_terms(glossary: Glossary) -> pb.GetGlossaryResponse:
    """Writes a glossary with its terms."""
    return pb.GetGlossaryResponse(glossary=write_glossary(glossary), terms=map(write_entry, glossary.entries))
