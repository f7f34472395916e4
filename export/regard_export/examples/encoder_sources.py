"""The sources that calibration and verification of a model without a decoder encode."""

from itertools import cycle, islice

from regard_export.examples.input_readers import open_input_reader
from regard_export.references.protocols import Source
from regard_service.bundle import Bundle, PiecesOutput

MASKED_EVERY = 4  # tokens of a text of which one is masked


def sample_encoder_sources(bundle: Bundle, number: int) -> list[Source]:
    """Example inputs as the server reads them; for models that fill masks, with every fourth token masked."""
    reader, output = open_input_reader(bundle), bundle.manifest.output
    sources = [reader.read(raw, "") for raw in islice(cycle(reader.examples), number)]
    if not isinstance(output, PiecesOutput):
        return sources
    return [_masked([int(token) for token in source], output.mask_id) for source in sources]


def _masked(ids: list[int], mask_id: int) -> list[int]:
    """Masks at least one token, but not the special ones at either end."""
    chosen = range(min(2, len(ids) // 2), max(2, len(ids) - 1), MASKED_EVERY)
    return [mask_id if i in chosen else token for i, token in enumerate(ids)]
