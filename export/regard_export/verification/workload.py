"""The workload of a verification: sources, and the settings of every search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from regard_export.decoding.generations import default_generation
from regard_export.decoding.variant_engine import Ids
from regard_export.examples.dev_sets import DevSet
from regard_export.examples.samples import num_affordable_sources, sample_sources
from regard_export.references.protocols import Source
from regard_export.verification.graph_checks import NUM_BEAMS
from regard_service.bundle import Bundle
from regard_service.generation import Generation

MAX_NEW_TOKENS = 64
# Sources whose outputs are compared with the original's, which is slow.
MIN_SOURCES, MAX_SOURCES = 4, 16
MAX_WORK = 500_000_000  # sources times parameters, beyond which there are fewer sources
MAX_LOGITS = 2**23  # that are in memory at a time

GREEDY, BEAMS, DEFAULTS = "greedy", "beams", "the model's own settings"  # searches, as reports name them


@dataclass(frozen=True)
class Workload:
    """Sources and searches.

    Attributes:
        first_ids: the first token of each source's output; None if its language forces none.
        searches: settings by the search's name, without a forced first token.
    """

    sources: Sequence[Source]
    first_ids: Sequence[int | None]
    searches: Mapping[str, Generation]

    def generations(self, search: Generation) -> list[Generation]:
        """A search's settings for each source, with the first token that its language forces."""
        return [replace(search, forced_first_id=first) for first in self.first_ids]


def open_workload(bundle: Bundle, dev: DevSet) -> Workload:
    """Reads the sources: dev examples or, for a key without any, example inputs."""
    manifest = bundle.manifest
    num_sources = num_affordable_sources(manifest, min_sources=MIN_SOURCES, max_sources=MAX_SOURCES, max_work=MAX_WORK)
    keys, sources = zip(*sample_sources(bundle, dev, num_sources), strict=True)
    # One token less than a target may have, since the output is also read again after the start token.
    max_new_tokens = min(MAX_NEW_TOKENS, manifest.max_target_tokens - 1)
    searches = {GREEDY: Generation(max_new_tokens), BEAMS: Generation(max_new_tokens, num_beams=NUM_BEAMS)}
    defaults = default_generation(manifest, max_new_tokens)
    if defaults not in searches.values():
        searches[DEFAULTS] = defaults
    return Workload(sources, [manifest.target.forced_first_id(key) for key in keys], searches)


def first_targets(targets: Sequence[Ids], vocab_size: int) -> Sequence[Ids]:
    """The first targets, as many as have at most `MAX_LOGITS` logits; at least one."""
    longest = max(map(len, targets))
    return targets[: max(1, MAX_LOGITS // (longest * vocab_size))]
