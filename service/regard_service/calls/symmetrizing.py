"""Joins the alignments of a pair by two models, one of each direction."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from regard_service.calls.inputs import special_units
from regard_service.domain.calls import Symmetrization
from regard_service.domain.results import Link, Result, Source, Span, Token, Word
from regard_service.maps.links import hard_links, joined_links

_Units = Sequence[Token] | Sequence[Word]


def symmetrized(forward: Result, backward: Result, method: Symmetrization) -> Result:
    """Returns the result of the first model, with the links of both.

    Args:
        backward: of the same pair, its target read as the source. Its units may be others; they stand for those with
            which they share characters.
    """
    sources, targets = _units(forward.source), _units_of_target(forward)
    own_sources, own_targets = _spans(sources), _spans(targets)
    read, written = _spans(_units(backward.source)), _spans(_units_of_target(backward))
    of_backward = {
        (source, target)
        for link in _strongest(backward)
        for source in _overlapping(written[link.target], own_sources)
        for target in _overlapping(read[link.source], own_targets)
    }
    links = joined_links({(link.source, link.target) for link in _strongest(forward)}, of_backward, method)
    ordered = sorted(links, key=lambda link: (link[1], link[0]))
    best = replace(forward.hypotheses[0], links=tuple(Link(*link) for link in ordered))
    return replace(forward, hypotheses=(best,))


def _strongest(result: Result) -> list[Link]:
    """The strongest source unit of each target unit."""
    hypothesis = result.hypotheses[0]
    alignment = next(each.values for each in hypothesis.maps if each.kind == "alignment")
    special = [unit.is_special for unit in _units_of_target(result)]
    return [Link(*link) for link in hard_links(alignment, special_units(result.source), special)]


def _units(source: Source) -> _Units:
    return source.words or source.tokens


def _units_of_target(result: Result) -> _Units:
    hypothesis = result.hypotheses[0]
    return hypothesis.words or hypothesis.tokens


def _spans(units: _Units) -> list[Span | None]:
    return [unit.span for unit in units]


def _overlapping(span: Span | None, others: Sequence[Span | None]) -> Iterator[int]:
    """Yields the indexes of the ranges that share characters with a range."""
    if span is None:
        return
    for index, other in enumerate(others):
        if other is not None and max(span.start, other.start) < min(span.end, other.end):
            yield index
