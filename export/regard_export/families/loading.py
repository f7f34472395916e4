"""One file a family of checkpoints: weights, config and tokenizer in, a `SourceModel` out."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

from regard_service.bundle import Manifest

from regard_export.checkpoints.source_model import SourceModel, Wanted
from regard_export.errors import ExportError
from regard_export.families.hugging_face import blip, marian, text_to_text, vision_encoder_decoder
from regard_export.families.hugging_face.net_loading import read_json
from regard_export.families.regard_checkpoints import (
    captioner,
    encoder_decoder,
    pointer_generator,
    recurrent,
    transformer,
)
from regard_export.families.toolkits import joeynmt, torch_files

# By "family" (ours) or "model_type" (of `transformers`) in config.json.
FAMILIES: dict[str, Callable[[Path], SourceModel]] = {
    transformer.FAMILY: transformer.load,
    recurrent.FAMILY: recurrent.load,
    pointer_generator.FAMILY: pointer_generator.load,
    **dict.fromkeys(captioner.FAMILIES, captioner.load),
    **dict.fromkeys(encoder_decoder.FAMILIES, encoder_decoder.load),
}

# Likewise; their checkpoints leave open what only the caller knows.
OPEN_FAMILIES: dict[str, Callable[[Path, Wanted], SourceModel]] = {
    marian.FAMILY: marian.load,
    joeynmt.FAMILY: joeynmt.load,
    **dict.fromkeys(text_to_text.FAMILIES, text_to_text.load),
    vision_encoder_decoder.FAMILY: vision_encoder_decoder.load,
    blip.FAMILY: blip.load,
}


NOTHING = Wanted()


def load_source_model(folder: Path, wanted: Wanted = NOTHING) -> SourceModel:
    """Reads a checkpoint of any known family.

    Args:
        folder: or a file, of toolkits whose checkpoints are one.

    Raises:
        ExportError: no checkpoint, an unknown family, one that does not fit its description or does not do what is
            wanted.
    """
    try:
        return _load(folder, wanted)
    except (ExportError, OSError):
        raise
    except Exception as error:  # a checkpoint may hold anything
        told = f"there is no {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        raise ExportError(f"{folder} is not what its config says, or is damaged: {told}") from error


def _load(folder: Path, wanted: Wanted) -> SourceModel:
    config_file = folder / "config.json"
    if not config_file.is_file() and (folder / joeynmt.CONFIG).is_file():
        return joeynmt.load(folder, wanted)
    if not config_file.is_file():
        return _load_torch_file(folder, wanted)
    config = read_json(config_file)
    family = str(config.get("family") or config.get("model_type") or "")
    if family in OPEN_FAMILIES:
        model = OPEN_FAMILIES[family](folder, wanted)
    elif family in FAMILIES:
        model = FAMILIES[family](folder)
        if wanted.languages:
            raise ExportError(f"models of family {family} tell their languages themselves; --languages is not for them")
    else:
        known = ", ".join(sorted(FAMILIES.keys() | OPEN_FAMILIES.keys()))
        told = f"{config_file}: unknown architecture {family!r}" if family else f"{config_file} names no architecture"
        raise ExportError(f"{told}; known are {known}")
    return _of_the_wanted_task(model, folder, wanted)


def _load_torch_file(path: Path, wanted: Wanted) -> SourceModel:
    file = torch_files.find(path)
    if file is None:
        raise ExportError(f"{path} holds no checkpoint: there is no config.json")
    return _of_the_wanted_task(torch_files.load(file, wanted), path, wanted)


def _of_the_wanted_task(model: SourceModel, path: Path, wanted: Wanted) -> SourceModel:
    if wanted.task not in (None, model.task):
        raise ExportError(f"{path} does {model.task}, not {wanted.task}")
    return model


def wanted_of(manifest: Manifest) -> Wanted:
    """What its checkpoint was asked for when a bundle was made."""
    pairs = product(manifest.source_languages, manifest.target_languages)
    tells_none = manifest.family in (*OPEN_FAMILIES, joeynmt.RECURRENT, *torch_files.FAMILIES)
    return Wanted(manifest.task, tuple(pairs) if tells_none else ())
