"""The sources that calibration and verification of a model without a decoder encode."""

from collections.abc import Iterator
from itertools import cycle, islice

from regard_export.examples.input_readers import open_input_reader
from regard_export.examples.pictures import example_pictures
from regard_export.examples.vocabulary_texts import readable_texts
from regard_export.references.protocols import Source
from regard_service.bundle import Bundle, PiecesOutput, QuestionSource
from regard_service.engine.runtime.questions import question_record
from regard_service.pictures.reader import ImageReader
from regard_service.text.reading import SourceReader
from regard_service.text.tokenizer import load_tokenizer

MASKED_EVERY = 4  # tokens of a text of which one is masked


def sample_encoder_sources(bundle: Bundle, number: int) -> list[Source]:
    """Example inputs as the server reads them; for models that fill masks, with every fourth token masked."""
    if isinstance(bundle.manifest.source, QuestionSource):
        return list(islice(_questions(bundle, bundle.manifest.source), number))
    reader, output = open_input_reader(bundle), bundle.manifest.output
    sources = [reader.read(raw, "") for raw in islice(cycle(reader.examples), number)]
    if not isinstance(output, PiecesOutput):
        return sources
    return [_masked([int(token) for token in source], output.mask_id) for source in sources]


def _questions(bundle: Bundle, source: QuestionSource) -> Iterator[Source]:
    """Yields example pictures, without end, each with a text that the tokenizer reads."""
    pictures, reader = ImageReader(source.picture), SourceReader(bundle)
    texts = readable_texts(load_tokenizer(bundle, source.question.tokenizer))
    files = [file for file in example_pictures() if isinstance(file, bytes)]
    for picture, text in zip(cycle(files), cycle(texts), strict=False):
        ids = reader.read(text, field="text", key="", truncation="truncate").ids
        yield question_record(pictures.read(picture, field="image").array, ids)


def _masked(ids: list[int], mask_id: int) -> list[int]:
    """Masks at least one token, but not the special ones at either end."""
    chosen = range(min(2, len(ids) // 2), max(2, len(ids) - 1), MASKED_EVERY)
    return [mask_id if i in chosen else token for i, token in enumerate(ids)]
