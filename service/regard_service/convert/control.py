"""Reads what a request says about its outputs: terms, glossaries, prefixes, alternatives, suppressed phrases."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from regard.v1 import regard_pb2 as pb
from regard_service.convert.checks import Checks, shown_number
from regard_service.domain.calls import Control, TargetPrefix
from regard_service.domain.glossaries import GlossaryEntry
from regard_service.validation.glossaries import MAX_GLOSSARIES, MAX_TERMS, phrase_fault

MAX_ALTERNATIVES = 16
MAX_SUPPRESSED = 256
MAX_PREFIX_TOKENS = 1024

_NO_CONTROL = Control()


class _HasTerms(Protocol):
    @property
    def terms(self) -> Sequence[pb.Term]: ...
    @property
    def glossaries(self) -> Sequence[str]: ...
    @property
    def suppressed(self) -> Sequence[str]: ...


def read_control(checks: Checks, request: pb.TranslateRequest | pb.StreamTranslateRequest) -> Control:
    """Reads the control of a translation."""
    if not _has_control(request):
        return _NO_CONTROL
    control = read_terms(checks, request)
    if isinstance(request, pb.StreamTranslateRequest):
        prefixes = [request.target_prefix] if request.HasField("target_prefix") else []
        return _with_prefixes(checks, control, prefixes, 0)
    if request.target_prefixes and len(request.target_prefixes) != len(request.texts):
        fault = f"holds {len(request.target_prefixes)}; texts holds {len(request.texts)}"
        checks.add("target_prefixes", fault)
        return control
    if request.HasField("num_alternatives"):
        checks.in_range("num_alternatives", request.num_alternatives, 1, MAX_ALTERNATIVES)
    return _with_prefixes(checks, control, request.target_prefixes, request.num_alternatives)


def _has_control(request: pb.TranslateRequest | pb.StreamTranslateRequest) -> bool:
    """Whether any field is set that `read_control` reads; in most calls none is."""
    if request.terms or request.glossaries or request.suppressed:
        return True
    if isinstance(request, pb.StreamTranslateRequest):
        return request.HasField("target_prefix")
    return bool(request.target_prefixes) or request.HasField("num_alternatives")


def read_terms(checks: Checks, request: _HasTerms) -> Control:
    """Reads the terms, glossaries and suppressed phrases of a request."""
    for name, values, limit in (
        ("terms", request.terms, MAX_TERMS),
        ("glossaries", request.glossaries, MAX_GLOSSARIES),
        ("suppressed", request.suppressed, MAX_SUPPRESSED),
    ):
        if len(values) > limit:
            advice = "; a glossary of the server may have more" if name == "terms" else ""
            checks.add(name, f"holds {len(values)}; the limit is {limit}{advice}")
            return Control()
    for index, phrase in enumerate(request.suppressed):
        checks.add_if(f"suppressed[{index}]", phrase_fault(phrase))
    names = list(request.glossaries)
    for index, name in enumerate(names):
        checks.name(f"glossaries[{index}]", name)
        if name in names[:index]:
            checks.add(f"glossaries[{index}]", f"{name!r} is named more than once")
    terms = tuple(read_entries(checks, request.terms, "terms"))
    return Control(terms=terms, glossaries=tuple(names), suppressed=tuple(request.suppressed))


def read_entries(checks: Checks, terms: Sequence[pb.Term], path: str) -> Iterator[GlossaryEntry]:
    """Yields the entries of terms. Args: path: of the terms in the request."""
    for index, term in enumerate(terms):
        for side in ("source", "target"):
            checks.add_if(f"{path}[{index}].{side}", phrase_fault(getattr(term, side)))
        yield GlossaryEntry(term.source, term.target, term.case_sensitive, not term.part_of_word)


def write_entry(entry: GlossaryEntry) -> pb.Term:
    """Writes a glossary's entry."""
    return pb.Term(
        source=entry.source,
        target=entry.target,
        case_sensitive=entry.is_case_sensitive,
        part_of_word=not entry.is_whole_word,
    )


def _with_prefixes(
    checks: Checks, control: Control, prefixes: Sequence[pb.TargetPrefix], num_alternatives: int
) -> Control:
    read: dict[int, TargetPrefix] = {}
    for index, prefix in enumerate(prefixes):
        path = f"target_prefixes[{index}]"
        if prefix.HasField("bias") and not 0 < prefix.bias < 1:
            checks.add(f"{path}.bias", f"must be in (0, 1); it is {shown_number(prefix.bias)}")
        if prefix.text and prefix.tokens:
            checks.add(path, "has a text and tokens; it is one of them")
        if len(prefix.tokens) > MAX_PREFIX_TOKENS:
            checks.add(f"{path}.tokens", f"holds {len(prefix.tokens)}; the limit is {MAX_PREFIX_TOKENS}")
        if prefix.text.strip() or prefix.tokens:
            read[index] = TargetPrefix(prefix.text, tuple(prefix.tokens), prefix.bias)
    return Control(
        control.terms, control.glossaries, read, num_alternatives=num_alternatives, suppressed=control.suppressed
    )
