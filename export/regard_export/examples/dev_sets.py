"""Dev examples from a data folder, for calibration, alignment and the quality gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from regard_export.checkpoints.source_model import SourceModel
from regard_export.errors import ExportError
from regard_models.recipes.pairs import read_pairs

DEV_SPLITS = ("dev", "val", "valid")


@dataclass(frozen=True)
class DevExample:
    """An input with outputs that people wrote.

    Attributes:
        source: a text, or the content of a picture's file.
    """

    source: str | bytes
    references: tuple[str, ...]


DevSet = Mapping[str, Sequence[DevExample]]
"""Examples by target language or style; the key is "" if the model has neither."""


def read_dev_set(folder: Path, model: SourceModel) -> DevSet:
    """Reads the dev examples of the model's task.

    Raises:
        ExportError: the folder holds none that suit the model.
    """
    match model.task:
        case "translation":
            return _translations(folder, model)
        case "captioning":
            return _captions(folder)
        case "summarization":
            return _summaries(folder, model)
        case _:
            raise ExportError(f"there are no dev examples for {model.task}")


def _translations(folder: Path, model: SourceModel) -> DevSet:
    """Reads `SPLIT.LANGUAGE.gz`, SPLIT being dev, val or valid, from the folder or its `SOURCE-TARGET` folder."""
    examples = {}
    for source, target in product(model.source_languages, model.target_languages):
        for place, split in product((folder / f"{source}-{target}", folder), DEV_SPLITS):
            if all((place / f"{split}.{code}.gz").is_file() for code in (source, target)):
                pairs = read_pairs(place, split, target, source_language=source)
                examples[target] = [DevExample(pair.source, (pair.target,)) for pair in pairs]
                break
    if not examples:
        languages = ", ".join(model.target_languages) or "none"
        raise ExportError(f"{folder} holds no dev sentences (dev.LANGUAGE.gz) for the target languages: {languages}")
    return examples


def _captions(folder: Path) -> DevSet:
    """Reads `SPLIT.tar` and `SPLIT.jsonl.gz`, SPLIT being dev, val or valid; pictures have equally many captions."""
    from regard_models.recipes.captioner_data import read_captions, read_files  # imports PyTorch

    for split in DEV_SPLITS:
        if (folder / f"{split}.tar").is_file() and (folder / f"{split}.jsonl.gz").is_file():
            pairs = zip(read_files(folder, split), read_captions(folder, split), strict=True)
            return {"": [DevExample(file, tuple(captions)) for file, captions in pairs]}
    raise ExportError(f"{folder} holds no dev pictures with captions (dev.tar and dev.jsonl.gz)")


def _summaries(folder: Path, model: SourceModel) -> DevSet:
    """Reads the collections of `models/regard_models/recipes/summaries.py`, each from its own subfolder."""
    from regard_models.recipes.summaries import STYLES, read_documents  # imports PyTorch

    examples = {}
    for style in model.styles:
        if style in STYLES and (folder / STYLES[style].folder / "dev.jsonl.gz").is_file():
            documents = read_documents(folder, style, "dev")
            examples[style] = [DevExample(document.text, (document.summary,)) for document in documents]
    if not examples:
        folders = ", ".join(STYLES[style].folder for style in model.styles if style in STYLES) or "none"
        raise ExportError(f"{folder} holds no dev documents (dev.jsonl.gz) in the folders of the styles: {folders}")
    return examples
