"""Terms of a segment: their places among its tokens, and what of them is copied."""

import numpy as np

from regard_service.bundle import Bundle, zoo_folder
from regard_service.calls.preparing import Preparation
from regard_service.calls.terms import TermReader, with_terms
from regard_service.domain.glossaries import GlossaryEntry
from regard_service.domain.results import Span
from regard_service.generation import Spelling, Term, Terms
from regard_service.passages.segments import Segment
from regard_service.passages.terms.finding import TermFinder
from regard_service.text.phrases import PhraseWriter
from regard_service.text.reading import SourceReader, SourceText
from regard_service.text.writing import TargetWriter

BUNDLE = Bundle.load(zoo_folder() / "everyday")
READER, WRITER = SourceReader(BUNDLE), TargetWriter(BUNDLE)
PHRASES = PhraseWriter(WRITER, WRITER.encode)


def read(text: str, *terms: tuple[str, str]) -> SourceText:
    """A text as the model reads it, with its terms."""
    reader = TermReader((TermFinder((GlossaryEntry(*term), "terms") for term in terms),), PHRASES, 100, is_spaced=True)
    found = reader.find(text)
    released = [each.span for each in found]
    prepared = Preparation("en", "de").prepare(text, Segment(Span(0, len(text))), released=released)
    part = READER.read(prepared.edited.text, field="texts[0]", key="de", truncation="reject")
    copied = [span for span, _ in prepared.copied]
    return reader.added(part, found, prepared.edited, copied, field="texts[0]")


def words_of(part: SourceText) -> list[str]:
    assert part.terms is not None
    return ["".join(part.tokens[p].piece for p in term.positions).strip("▁") for term in part.terms.terms]


def test_positions_are_those_of_the_text_that_the_model_reads() -> None:
    part = read("THE DOG saw www.example.com and a cat", ("dog", "Hund"), ("cat", "Katze"))
    assert words_of(part) == ["dog", "cat"]
    assert part.left_out == ()


def test_a_term_within_what_is_copied_is_left_out_and_one_around_it_is_used() -> None:
    part = read("The dog reads www.dog.com on Windows 10.", ("dog", "Hund"), ("Windows 10", "Fenster 10"))
    assert words_of(part) == ["dog", "Windows▁10"]
    assert part.left_out == ("dog",)
    assert all("example" not in token.piece for token in part.tokens)


def test_the_alignment_of_a_term_is_known() -> None:
    terms = Terms((Term((1, 2), (7, 8), (8,), (7, 8)), Term((3,), (7,), (7,), (7,))), (), Spelling(b"", b"", b""))
    weights = np.full((4, 4), 0.25, np.float32)
    aligned = with_terms(weights, np.array([7, 8, 7, 1]), terms)
    assert aligned.tolist() == [[0, 0.5, 0.5, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 1], [0.25] * 4]
    assert weights.tolist() == [[0.25] * 4] * 4
