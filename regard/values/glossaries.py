"""Terms and glossaries."""

from dataclasses import dataclass
from typing import NamedTuple

from regard.v1 import regard_pb2 as pb


class Term(NamedTuple):
    """How a word or a phrase is to be translated: wherever a text has the source, the output has the target.

    Attributes:
        source, target: as they are written; inflected forms are terms of their own.
        case_sensitive: whether a text that has the term in another case does not have it.
        part_of_word: whether the term may be a part of a word.
    """

    source: str
    target: str
    case_sensitive: bool = False
    part_of_word: bool = False


@dataclass(frozen=True)
class Glossary:
    """A glossary of a server.

    Attributes:
        terms: empty in a list of glossaries.
    """

    name: str
    source_language: str
    target_language: str
    num_terms: int
    terms: tuple[Term, ...] = ()

    @classmethod
    def from_message(cls, message: pb.Glossary, terms: tuple[Term, ...] = ()) -> "Glossary":
        """Reads a Glossary of the API."""
        return cls(message.name, message.source_language, message.target_language, message.num_terms, terms)


def term_of(message: pb.Term) -> Term:
    """Reads a Term of the API."""
    return Term(message.source, message.target, message.case_sensitive, message.part_of_word)
