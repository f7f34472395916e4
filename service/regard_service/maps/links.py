"""Measures of an alignment: hard links, entropy, coverage.

Units are tokens or words. An alignment is float32 [target, source], each row a distribution over the source.
"""

import heapq
from collections import deque
from collections.abc import Sequence

import numpy as np

from regard.arrays import Float32Array
from regard_service.domain.calls import Symmetrization

MIN_POSITIVE = np.finfo(np.float32).tiny
MIN_GROWN = 0.25  # docs/confidence.md has the error rates with it and without


def hard_links(
    alignment: Float32Array, source_special: Sequence[bool], target_special: Sequence[bool]
) -> list[tuple[int, int]]:
    """Returns the strongest source unit of each target unit, without the special units of both sides.

    Special tokens are attention sinks: they receive weight that belongs to no unit, and must not compete.

    Args:
        source_special, target_special: bool [source], bool [target].

    Returns:
        (source, target) pairs, by target; the first of equally strong source units.
    """
    candidates = [source for source, special in enumerate(source_special) if not special]
    if not candidates:
        return []
    strongest = alignment[:, candidates].argmax(axis=1).tolist()
    return [(candidates[strongest[target]], target) for target, special in enumerate(target_special) if not special]


def symmetric_links(
    alignment: Float32Array,
    source_special: Sequence[bool],
    target_special: Sequence[bool],
    *,
    min_grown: float = MIN_GROWN,
) -> list[tuple[int, int]]:
    """Returns the links of two texts that say the same, where attention agrees in both directions.

    A weight counts relative to its row and to its column: divided by the square root of the product of their sums. The
    strongest source unit of a target unit, and the strongest target unit of a source unit, are candidates; those that
    are both are links. Links then grow: the strongest candidate beside a link, diagonally too, is added as long as one
    of its units has no link (grow-diag of Koehn et al. 2003, "Statistical Phrase-Based Translation", section 4.5). The
    pairs of Koehn et al. are links of a statistical aligner; here every unit has a strongest one, however weak. So only
    candidates of some relative weight are added. A unit may have several links, or none.

    Args:
        source_special, target_special: bool [source], bool [target]; special units have no links and do not compete.
        min_grown: the relative weight from which on a candidate is added.

    Returns:
        (source, target) pairs, by target, then by source.
    """
    sources, targets = (np.flatnonzero(~np.array(special, bool)) for special in (source_special, target_special))
    if not (len(sources) and len(targets)):
        return []
    weights = alignment[np.ix_(targets, sources)].astype(np.float64)
    sums = weights.sum(axis=1, keepdims=True) * weights.sum(axis=0, keepdims=True)
    strength = weights / np.sqrt(np.maximum(sums, MIN_POSITIVE))
    strongest_source, strongest_target = strength.argmax(axis=1).tolist(), strength.argmax(axis=0).tolist()
    forward = {(source, target) for target, source in enumerate(strongest_source) if strength[target, source] > 0}
    backward = {(source, target) for source, target in enumerate(strongest_target) if strength[target, source] > 0}
    weighed = {(source, target): float(strength[target, source]) for source, target in forward ^ backward}
    candidates = {link: weight for link, weight in weighed.items() if weight >= min_grown}
    links = _grown(forward & backward, candidates)
    return [(int(sources[s]), int(targets[t])) for s, t in sorted(links, key=lambda link: (link[1], link[0]))]


def _grown(links: set[tuple[int, int]], candidates: dict[tuple[int, int], float]) -> set[tuple[int, int]]:
    """The links with the candidates beside them, the strongest first.

    Args:
        candidates: strengths by (source, target).
    """
    linked_sources, linked_targets = {source for source, _ in links}, {target for _, target in links}
    grown, reached, waiting = set(links), set(links), sorted(links)
    heap: list[tuple[float, tuple[int, int]]] = []
    while waiting or heap:
        for source, target in waiting:
            for neighbour in ((source + s, target + t) for s in (-1, 0, 1) for t in (-1, 0, 1)):
                if neighbour in candidates and neighbour not in reached:
                    reached.add(neighbour)
                    heapq.heappush(heap, (-candidates[neighbour], neighbour))
        waiting = []
        if heap:
            _, (source, target) = heapq.heappop(heap)
            if source not in linked_sources or target not in linked_targets:
                grown.add((source, target))
                linked_sources.add(source)
                linked_targets.add(target)
                waiting = [(source, target)]
    return grown


Links = set[tuple[int, int]]
"""(source, target) pairs."""


def joined_links(forward: Links, backward: Links, method: Symmetrization) -> Links:
    """Joins the links of two directions (Koehn et al. 2003, section 4.5).

    The links of both grow by links of one that stand beside them, diagonally too, as long as one of their units has no
    link ("grow_diag"); then come links of one direction whose units both have none, those of `forward` first
    ("grow_diag_final_and").
    """
    links = forward & backward
    if method == "intersection":
        return links
    sources, targets = {source for source, _ in links}, {target for _, target in links}

    def add(link: tuple[int, int]) -> None:
        links.add(link)
        sources.add(link[0])
        targets.add(link[1])

    either, waiting = forward | backward, deque(sorted(links))
    while waiting:
        source, target = waiting.popleft()
        for link in ((source + s, target + t) for s in (-1, 0, 1) for t in (-1, 0, 1)):
            if link in either and link not in links and not (link[0] in sources and link[1] in targets):
                add(link)
                waiting.append(link)
    if method == "grow_diag_final_and":
        for link in (*sorted(forward), *sorted(backward)):
            if link[0] not in sources and link[1] not in targets:
                add(link)
    return links


def entropy(alignment: Float32Array) -> Float32Array:
    """Returns each row's entropy, -sum_i a_i ln a_i, in nats: 0 with all weight on one unit, ln(source) at most.

    Returns:
        float32 [target].
    """
    logarithms = np.log(np.maximum(alignment, MIN_POSITIVE))  # 0 ln 0 = 0
    nats: Float32Array = np.maximum(-np.einsum("ts,ts->t", alignment, logarithms), 0.0)
    return nats


def coverage(alignment: Float32Array) -> Float32Array:
    """Returns each row's overlap with the earlier rows: sum_i min(a_i, c_i), where c is the sum of the earlier rows.

    The coverage loss of See et al. 2017, eqs. 10 and 12: near 1 where the model attends to the same units again.

    Returns:
        float32 [target], in [0, 1] for rows that sum to 1.
    """
    attended = alignment.cumsum(axis=0) - alignment
    repeated: Float32Array = np.minimum(alignment, np.maximum(attended, 0.0)).sum(axis=1)
    return repeated


def source_coverage(alignment: Float32Array) -> Float32Array:
    """Returns the attention that each source unit receives from all rows: float32 [source]."""
    total: Float32Array = alignment.sum(axis=0)
    return total
