"""One file a family of checkpoints: weights, config and tokenizer in, a `SourceModel` out."""

import json
from collections.abc import Callable
from pathlib import Path

from export.errors import ExportError
from export.families import captioner, marian, pointer_generator, recurrent, regard, vision_encoder_decoder
from export.families.source import SourceModel

# By "family" (ours) or "model_type" (of `transformers`) in config.json.
FAMILIES: dict[str, Callable[[Path], SourceModel]] = {
    regard.FAMILY: regard.load,
    recurrent.FAMILY: recurrent.load,
    pointer_generator.FAMILY: pointer_generator.load,
    marian.FAMILY: marian.load,
    **dict.fromkeys(captioner.FAMILIES, captioner.load),
    vision_encoder_decoder.FAMILY: vision_encoder_decoder.load,
}


def load(folder: Path) -> SourceModel:
    """Reads a checkpoint of any known family.

    Raises:
        ExportError: no checkpoint, an unknown family, or one that does not fit its description.
    """
    config_file = folder / "config.json"
    if not config_file.is_file():
        raise ExportError(f"{folder} holds no checkpoint: there is no config.json")
    try:
        config = json.loads(config_file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ExportError(f"{config_file} is not JSON: {error}") from error
    family = config.get("family") or config.get("model_type") or "none named"
    if family not in FAMILIES:
        raise ExportError(f"{config_file}: unknown architecture {family!r}; known are {', '.join(sorted(FAMILIES))}")
    return FAMILIES[family](folder)
