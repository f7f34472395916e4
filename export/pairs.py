"""Dev sentences from a data folder, for the quality gate."""

from itertools import product
from pathlib import Path

from export.errors import ExportError
from export.families.source import SourceModel
from export.verify import DevPairs
from models.recipes.corpus import read_pairs

SPLITS = ("dev", "val", "valid")


def dev_pairs(folder: Path, model: SourceModel) -> DevPairs:
    """Reads `SPLIT.LANGUAGE.gz`, SPLIT being dev, val or valid, in the folder or in its `SOURCE-TARGET` folder.

    Raises:
        ExportError: there are none for any of the model's target languages.
    """
    pairs = {}
    for source, target in product(model.source_languages, model.target_languages):
        for place, split in product((folder / f"{source}-{target}", folder), SPLITS):
            if all((place / f"{split}.{code}.gz").is_file() for code in (source, target)):
                found = read_pairs(place, split, target, source_language=source)
                pairs[target] = [(pair.source, pair.target) for pair in found]
                break
    if not pairs:
        languages = ", ".join(model.target_languages) or "none"
        raise ExportError(f"{folder} holds no dev sentences (dev.LANGUAGE.gz) for the target languages: {languages}")
    return pairs
