"""What reads the inputs of a loaded model."""

from dataclasses import dataclass

from regard_service.bundle import Bundle, ImageSource, QuestionSource
from regard_service.pictures.reader import ImageLimits, ImageReader
from regard_service.text.reading import SourceReader


@dataclass(frozen=True)
class QuestionReader:
    """Reads pictures and the questions about them."""

    pictures: ImageReader
    questions: SourceReader


InputReader = SourceReader | ImageReader | QuestionReader


def open_reader(bundle: Bundle, limits: ImageLimits | None = None) -> InputReader:
    """Opens the reader for a bundle's kind of source; the tokenizers library raises plain Exception."""
    source = bundle.manifest.source
    if isinstance(source, QuestionSource):
        return QuestionReader(ImageReader(source.picture, limits), SourceReader(bundle))
    return ImageReader(source, limits) if isinstance(source, ImageSource) else SourceReader(bundle)
