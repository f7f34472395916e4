"""Texts of a data folder's training split, from which a shortlist is learned; dev examples judge it."""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from regard_export.checkpoints.source_model import SourceModel
from regard_export.errors import ExportError

TRAINING_SPLIT = "train"


@dataclass(frozen=True)
class TrainingTexts:
    """Sources of one target language.

    Attributes:
        targets: their translations in the data, one each; empty where the data has none.
    """

    sources: Sequence[str]
    targets: Sequence[str] = ()


def read_training_texts(folder: Path, model: SourceModel, most: int) -> Mapping[str, TrainingTexts]:
    """Reads `train.LANGUAGE.gz` of each pair of languages, from the folder or its `SOURCE-TARGET` folder.

    Args:
        most: lines of a pair of languages, evenly spread over its file.

    Returns:
        the texts by target language.

    Raises:
        ExportError: the folder holds no training sources of the model's languages, or the sides differ in lines.
    """
    found: dict[str, TrainingTexts] = {}
    for source, target in product(model.source_languages, model.target_languages):
        for place in (folder / f"{source}-{target}", folder):
            if target not in found and (place / f"{TRAINING_SPLIT}.{source}.gz").is_file():
                found[target] = _read(place, source, target, most)
    if not found:
        wanted = ", ".join(f"{TRAINING_SPLIT}.{code}.gz" for code in model.source_languages) or "none: no language"
        raise ExportError(f"{folder} holds no training texts, from which a shortlist is learned: {wanted}")
    return found


def _read(place: Path, source: str, target: str, most: int) -> TrainingTexts:
    """The texts of one pair of languages."""
    sources = list(_lines(place, source))
    targets = list(_lines(place, target)) if (place / f"{TRAINING_SPLIT}.{target}.gz").is_file() else []
    if targets and len(targets) != len(sources):
        raise ExportError(f"{place}: train has {len(sources)} {source} and {len(targets)} {target} lines")
    stride = -(-len(sources) // most) if sources else 1
    return TrainingTexts(sources[::stride], targets[::stride])


def _lines(place: Path, language: str) -> Iterator[str]:
    """The lines of a file, with white space collapsed."""
    path = place / f"{TRAINING_SPLIT}.{language}.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from (" ".join(line.split()) for line in lines)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from error
