"""What a call says about its outputs: terms, prefixes, alternatives and phrases that must not occur, for one model."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

from regard_service.calls.inputs import Input
from regard_service.calls.prefixes import PrefixReader
from regard_service.calls.terms import TermReader, check_writable
from regard_service.domain.calls import TargetPrefix, TranslateCall
from regard_service.domain.glossaries import Glossary, GlossaryEntry
from regard_service.errors import GlossaryNotFound
from regard_service.languages.matching import match
from regard_service.passages.edits import EditedText
from regard_service.passages.spacing import is_spaced
from regard_service.passages.terms.finding import TermFinder, contradictions
from regard_service.repository.loader import LoadedModel
from regard_service.text.phrases import PhraseWriter, UnwritablePhrase
from regard_service.text.reading import SourceText
from regard_service.validation.violations import Violations

FindGlossary = Callable[[str], tuple[Glossary, TermFinder]]
"""Returns the glossary of a name, and what finds its terms. Raises GlossaryNotFound."""


def no_glossaries(name: str) -> tuple[Glossary, TermFinder]:
    """Knows none."""
    raise GlossaryNotFound(f"there is no glossary {name!r}; this server has none")


@dataclass(frozen=True)
class ReadControl:
    """A call's control of its outputs, ready for its texts.

    Attributes:
        suppressed: sequences of tokens that no output contains.
    """

    terms: TermReader | None = None
    prefixes: PrefixReader | None = None
    suppressed: tuple[tuple[int, ...], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether texts are read as without it."""
        return self.terms is None and self.prefixes is None

    def of_raw(self, reading: Callable[[], Input], index: int) -> Input:
        """Reads a text that is one sequence, or several, as they stand. Raises InvalidInput."""
        read = reading()
        field = f"texts[{index}]"
        parts = [self._added(part, field) if isinstance(part, SourceText) else part for part in read.parts]
        first = parts[0]
        if self.prefixes is not None and isinstance(first, SourceText):
            prefix = self.prefixes.prefixes.get(index, TargetPrefix())
            parts[0] = self.prefixes.of_part(first, prefix, index)
        return replace(read, parts=tuple(parts))

    def _added(self, part: SourceText, field: str) -> SourceText:
        if self.terms is None:
            return part
        return self.terms.added(part, self.terms.find(part.text), EditedText.unchanged(part.text), field=field)


def read_control(call: TranslateCall, model: LoadedModel, target: str, glossaries: FindGlossary) -> ReadControl:
    """Reads what a call says about its outputs.

    Raises:
        InvalidInput: terms contradict each other, or the model cannot write a phrase; lists every one.
        GlossaryNotFound: the server has no glossary of a name.
    """
    control = call.control
    if not (control.terms or control.glossaries or control.prefixes or control.num_alternatives or control.suppressed):
        return ReadControl()
    violations = Violations()
    manifest, phrases = model.manifest, model.phrases
    given = call.generation.max_new_tokens
    max_tokens = min(manifest.generation.max_new_tokens if given is None else given, manifest.max_target_tokens)
    terms = prefixes = None
    if control.terms or control.glossaries:
        _check_terms(control.terms, phrases, violations)
        _check_suppressed(control.terms, control.suppressed, violations)
        own = TermFinder((entry, f"terms[{index}]") for index, entry in enumerate(control.terms))
        stored = [
            _stored(glossaries(name), index, call, target, violations) for index, name in enumerate(control.glossaries)
        ]
        terms = TermReader((own, *stored), phrases, max_tokens, is_spaced(target))
    if control.prefixes or control.num_alternatives:
        _check_prefixes(call, violations)
        end_id = manifest.target.end_ids[0]
        prefixes = PrefixReader(control.prefixes, control.num_alternatives, phrases, max_tokens, end_id, target)
    suppressed = tuple(_suppressed(control.suppressed, phrases))
    violations.raise_if_any()
    return ReadControl(terms, prefixes, suppressed)


def _check_terms(terms: tuple[GlossaryEntry, ...], phrases: PhraseWriter, violations: Violations) -> None:
    for index, description in contradictions(terms):
        violations.add(f"terms[{index}]", f"contradicts an earlier term: {description}")
    for index, description in check_writable(terms, phrases):
        violations.add(f"terms[{index}].target", description)


def _check_suppressed(terms: tuple[GlossaryEntry, ...], suppressed: tuple[str, ...], violations: Violations) -> None:
    """No output can have a term and lack a phrase of it."""
    for number, phrase in enumerate(suppressed):
        whole = re.compile(rf"(?<!\w){re.escape(phrase.strip())}(?!\w)")
        holders = (each for each in enumerate(terms) if phrase in each[1].target and whole.search(each[1].target))
        for index, term in islice(holders, 1):
            fault = f"is {phrase!r}, which the target of terms[{index}], {term.target!r}, contains"
            violations.add(f"suppressed[{number}]", fault)


def _stored(
    found: tuple[Glossary, TermFinder], index: int, call: TranslateCall, target: str, violations: Violations
) -> TermFinder:
    """Returns what finds a glossary's terms; adds a violation if it is not of the call's languages."""
    glossary, finder = found
    source = call.source_language or glossary.source_language
    pairs = (("source", glossary.source_language, source), ("target", glossary.target_language, target))
    for side, own, wanted in pairs:
        if match(wanted, [own]) is None:
            fault = f"{glossary.name!r} has the {side} language {own}; the call has {wanted}"
            violations.add(f"glossaries[{index}]", fault)
    return finder


def _check_prefixes(call: TranslateCall, violations: Violations) -> None:
    if call.text_options.format != "plain":
        fault = f"is {call.text_options.format}; prefixes and alternatives are of plain texts"
        violations.add("text_options.format", fault)
    if call.control.num_alternatives:
        if any(prefix.bias for prefix in call.control.prefixes.values()):
            violations.add("num_alternatives", "is set; alternatives are those behind a prefix that is forced")
        if (call.generation.num_return_sequences or 1) > 1:
            violations.add("num_alternatives", "is set, and so is generation.num_return_sequences")


def _suppressed(suppressed: tuple[str, ...], phrases: PhraseWriter) -> Iterator[tuple[int, ...]]:
    """Yields the ways to write each phrase, within a text and after a mark; none for what the model cannot write."""
    for phrase in suppressed:
        with suppress(UnwritablePhrase):
            yield from dict.fromkeys((phrases.tokens(phrase), phrases.tokens(phrase, is_glued=True)))
