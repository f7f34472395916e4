"""The formats of glossaries' files."""

from collections.abc import Iterator

from regard_service.domain.glossaries import GlossaryEntry
from regard_service.errors import InvalidInput
from regard_service.glossaries import tab_separated, term_base
from regard_service.glossaries.malformed import MalformedGlossary

_TSV = {"", "tsv", "text/tab-separated-values"}
_TBX = {"tbx", "application/x-tbx", "application/x-tbx+xml"}


def read_file(content: bytes, media_type: str, source_language: str, target_language: str) -> Iterator[GlossaryEntry]:
    """Yields the terms of a file. Raises InvalidInput."""
    kind = media_type.partition(";")[0].strip().lower()
    try:
        if kind in _TSV:
            yield from tab_separated.read(content)
        elif kind in _TBX:
            yield from term_base.read(content, source_language, target_language)
        else:
            raise InvalidInput.of("media_type", f"is {media_type!r}; there are tsv and tbx")
    except MalformedGlossary as error:
        raise InvalidInput.of("file", str(error)) from error
