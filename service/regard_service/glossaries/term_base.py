"""Terms from a term base in TBX (ISO 30042:2019, and the older martif): concepts, their languages, their terms."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from regard_service.domain.glossaries import GlossaryEntry
from regard_service.glossaries.malformed import MalformedGlossary
from regard_service.languages.matching import match

_CONCEPTS, _LANGUAGES, _TERM = {"conceptEntry", "termEntry"}, {"langSec", "langSet"}, "term"


@dataclass
class _Reader:
    """Collects the terms of each concept, by their language."""

    concepts: list[dict[str, list[str]]] = field(default_factory=list)
    _language: str = ""
    _text: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in _CONCEPTS:
            self.concepts.append({})
        elif name in _LANGUAGES:
            self._language = attributes.get("xml:lang", attributes.get("lang", ""))
        elif name == _TERM:
            self._text = []

    def characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def end(self, name: str) -> None:
        if name == _TERM and self._text is not None:
            term = " ".join("".join(self._text).split())
            if self.concepts and term:
                self.concepts[-1].setdefault(self._language, []).append(term)
            self._text = None

    def refuse_entities(self, *_: Any) -> None:
        raise MalformedGlossary("declares entities, which are not read")


def read(content: bytes, source_language: str, target_language: str) -> Iterator[GlossaryEntry]:
    """Yields, for each term of a concept in the source language, its first term in the target language.

    Raises:
        MalformedGlossary: it is not well-formed, or has no terms in these languages.
    """
    reader, parser = _Reader(), expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.EntityDeclHandler = reader.refuse_entities
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise MalformedGlossary(f"is not well-formed: {error}") from None
    num_found = 0
    for concept in reader.concepts:
        sources, targets = (_of(concept, language) for language in (source_language, target_language))
        for source in sources if targets else ():
            num_found += 1
            yield GlossaryEntry(source, targets[0])
    if not num_found:
        languages = sorted({language for concept in reader.concepts for language in concept})
        fault = f"has no concept with terms in {source_language} and {target_language}"
        raise MalformedGlossary(f"{fault}; it has terms in {', '.join(languages) or 'no language'}")


def _of(concept: dict[str, list[str]], language: str) -> list[str]:
    found = match(language, list(concept))
    return concept[found] if found is not None else []
