"""Checks that the server reads inputs and writes outputs as the original does."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product

import numpy as np

from regard.arrays import Array, Float32Array
from regard_export.examples.pictures import exact_picture, example_pictures
from regard_export.examples.sentences import EXAMPLE_SENTENCES, TRICKY_TEXTS
from regard_export.references.protocols import ControlTokenReference, PictureReference, Reference, TextReference
from regard_export.verification.check_report import Check
from regard_export.verification.differences import max_difference
from regard_service.bundle import Bundle, ImageSource, TextSource
from regard_service.pictures.reader import ImageReader
from regard_service.text.moses.tokenizer import MosesTokenizer
from regard_service.text.reading import SourceReader
from regard_service.text.tokenizer import load_tokenizer
from regard_service.text.writing import TargetWriter

PIXELS_TOLERANCE = 1e-5  # of normalized pixels, which are about 1
MAX_ADDED_TOKENS = 16  # of each kind, that verification types
RESIZING_TOLERANCE = 2.0  # of 255: the server averages large pictures before it filters them


def check_inputs(bundle: Bundle, reference: Reference) -> Iterator[Check]:
    """Checks the bundle's tokenizers or its preprocessing of pictures."""
    source = bundle.manifest.source
    if isinstance(source, ImageSource):
        return _check_pictures(bundle, source, reference)
    if not isinstance(reference, TextReference):
        raise TypeError(f"{reference.name} reads no text")
    manifest = bundle.manifest
    keys = manifest.styles or manifest.target_languages or ("",)
    language = next(iter(manifest.source_languages), "")
    reader, typed = SourceReader(bundle), added_tokens(bundle)
    offered = () if manifest.text_source is None else manifest.text_source.control_tokens
    control = [token.content for token in offered][:MAX_ADDED_TOKENS]
    texts = (*TRICKY_TEXTS, *EXAMPLE_SENTENCES, *texts_with(typed), *texts_with(control))
    checks = compare_texts(reference, reader, TargetWriter(bundle), texts, keys, language)
    if control and isinstance(reference, ControlTokenReference):
        return chain(checks, compare_control_tokens(reference, reader, control, keys, language))
    return checks


def added_tokens(bundle: Bundle) -> list[str]:
    """The first ordinary tokens that were added to the source's tokenizer, and that typed texts may hold."""
    source = bundle.manifest.source
    if not isinstance(source, TextSource):
        return []
    tokenizer = load_tokenizer(bundle, source.tokenizer)
    if isinstance(tokenizer, MosesTokenizer):
        return []
    return [token.content for token in tokenizer.get_added_tokens_decoder().values() if not token.special][
        :MAX_ADDED_TOKENS
    ]


def texts_with(tokens: Sequence[str]) -> Iterator[str]:
    """Texts in which each token stands alone, between spaces, at the ends, and within words and punctuation."""
    for token in tokens:
        yield f"The {token} Covid {token} dog."
        yield f"{token} Where is({token}), a{token}b {token}{token}  {token}"
    if len(tokens) > 1:
        yield "Yes, " + " ".join(tokens) + "."


def compare_control_tokens(
    reference: ControlTokenReference,
    reader: SourceReader,
    tokens: Sequence[str],
    keys: Sequence[str],
    language: str = "",
) -> Iterator[Check]:
    """Compares the ids of texts whose request names control tokens with the original's, which always reads them."""
    num_wrong = 0
    for text, key in product(texts_with(tokens), keys):
        named = frozenset(tokens)
        read = reader.read(text, field="text", key=key, truncation="truncate", language=language, control_tokens=named)
        num_wrong += not read.num_truncated and read.ids.tolist() != reference.read_control_tokens(text, key)
    yield Check("inputs with control tokens tokenized differently", num_wrong, 0)


@dataclass
class _Counts:
    """How many inputs are tokenized differently, by the reason."""

    wrong: int = 0
    unknown: int = 0
    typed: int = 0


def compare_texts(
    reference: TextReference,
    reader: SourceReader,
    writer: TargetWriter,
    texts: Sequence[str],
    keys: Sequence[str],
    language: str = "",
) -> Iterator[Check]:
    """Compares the bundle's tokenizers with the original's: ids of texts, and texts of ids.

    Args:
        texts: may hold special tokens as a user may type them, which must be read as text.
    """
    counts, num_wrong_texts = _Counts(), 0
    for text in texts:
        for key in keys:
            ids = reference.tokenize(text, key)
            read = reader.read(text, field="text", key=key, truncation="truncate", language=language)
            if read.num_truncated == 0:
                _count_difference(counts, ids, read.ids.tolist(), reference, writer)
        ids = [i for i in ids if writer.piece(i)]  # the source's vocabulary may be larger than the target's
        written = writer.write(np.array(ids, np.int64), np.zeros(len(ids), np.float32))
        # Special tokens may leave a space at either end.
        num_wrong_texts += written.text.strip() != reference.detokenize(ids).strip()
    yield Check("inputs tokenized differently", counts.wrong, 0)
    yield Check("inputs in which only the original reads typed special tokens", counts.typed)
    if reference.unknown_id is not None:
        # The original drops whole runs of characters even if it knows some of them.
        yield Check("inputs tokenized differently where the original drops characters", counts.unknown)
    yield Check("outputs written differently", num_wrong_texts, 0)


def _count_difference(
    counts: _Counts, expected: Sequence[int], actual: Sequence[int], reference: TextReference, writer: TargetWriter
) -> None:
    """Counts an input whose ids differ under its reason."""

    def special(ids: Sequence[int]) -> Counter[int]:
        return Counter(filter(writer.is_special, ids))

    if actual == expected:
        return
    if reference.unknown_id in expected:
        counts.unknown += 1
    elif special(expected) - special(actual):  # the original may take "</s>" in a text for the end; the server does not
        counts.typed += 1
    else:
        counts.wrong += 1


def _check_pictures(bundle: Bundle, source: ImageSource, reference: Reference) -> Iterator[Check]:
    """Checks the normalization; a `PictureReference` is compared with the example pictures too."""
    yield check_normalization(source)
    if isinstance(reference, PictureReference):
        std = np.array(source.std, np.float32)[:, None, None]
        file, _ = _exact_picture_of(source)
        files = [file, *(example for example in example_pictures() if isinstance(example, bytes))]
        yield _compare_pixels(ImageReader(source), reference, files, std)
        yield _compare_captions(TargetWriter(bundle), reference)


def check_normalization(source: ImageSource) -> Check:
    """Checks the normalization with a picture that needs no resizing, only cropping if the model's preprocessing
    crops.
    """
    size = (source.height, source.width)
    file, values = _exact_picture_of(source)
    margins = [(full - side) / 2 for full, side in zip(values.shape, size, strict=False)]
    top, left = map(int, margins)
    values = values[top : top + size[0], left : left + size[1]]
    mean, std = (np.array(x, np.float32)[:, None, None] for x in (source.mean, source.std))
    expected = (values.transpose(2, 0, 1) - mean) / std
    limit = PIXELS_TOLERANCE if margins == [top, left] else None  # half pixels cannot be cropped exactly
    difference = max_difference(ImageReader(source).read(file, field="image").array, expected)
    return Check("pixels: largest difference from (value - mean) / std", difference, limit)


def _exact_picture_of(source: ImageSource) -> tuple[bytes, Array]:
    """A picture of the size that the preprocessing scales to: its file and its values, [height, width, 3]."""
    return exact_picture(*(round(side / source.crop_fraction) for side in (source.height, source.width)))


def _compare_pixels(
    reader: ImageReader, reference: PictureReference, files: Sequence[bytes], std: Float32Array
) -> Check:
    """Compares with the original's image processor, which may resize slightly differently."""
    averages = [
        float((np.abs(reader.read(file, field="image").array - reference.pixels(file)) * std).mean()) for file in files
    ]
    return Check("pixels: average difference from the original's, of 255", max(averages), RESIZING_TOLERANCE)


def _compare_captions(writer: TargetWriter, reference: PictureReference) -> Check:
    """Compares the texts of ids with those of the original's tokenizer."""
    num_wrong = 0
    for text in EXAMPLE_SENTENCES:
        ids = reference.target_ids(text)
        written = writer.write(np.array(ids, np.int64), np.zeros(len(ids), np.float32))
        num_wrong += written.text.strip() != reference.detokenize(ids).strip()
    return Check("outputs written differently", num_wrong, 0)
