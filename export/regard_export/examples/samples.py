"""Chooses the sources that calibration and verification decode."""

from collections.abc import Iterator
from itertools import cycle, islice

from regard_export.examples.dev_sets import DevSet
from regard_export.examples.input_readers import open_input_reader
from regard_export.references.protocols import Source
from regard_service.bundle import Bundle, Manifest


def num_affordable_sources(manifest: Manifest, *, min_sources: int, max_sources: int, max_work: int) -> int:
    """Fewer sources for larger models.

    Args:
        max_work: limits sources times parameters, above `min_sources`.
    """
    return min(max_sources, max(min_sources, max_work // max(1, manifest.num_parameters)))


def sample_sources(bundle: Bundle, dev: DevSet, num_sources: int) -> Iterator[tuple[str, Source]]:
    """Yields (key, source) pairs, cycling through the target languages or styles.

    Args:
        dev: dev examples; the reader's own examples replace those of a missing key.
    """
    reader, manifest = open_input_reader(bundle), bundle.manifest
    keys = manifest.styles or manifest.target_languages or ("",)
    raw = {key: [example.source for example in examples] for key, examples in dev.items()}
    streams = {key: cycle(raw.get(key) or reader.examples) for key in keys}
    for key in islice(cycle(keys), num_sources):
        yield key, reader.read(next(streams[key]), key)
