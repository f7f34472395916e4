"""Loads a checkpoint of any family: weights, config and tokenizer in, a `SourceModel` out."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

from regard_export.checkpoints.files import read_json
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.errors import ExportError
from regard_export.families.bergamot import student, student_files
from regard_export.families.hugging_face import blip, marian, text_to_text, vision_encoder_decoder
from regard_export.families.regard_checkpoints import (
    captioner,
    encoder_decoder,
    pointer_generator,
    recurrent,
    transformer,
)
from regard_export.families.toolkits import joeynmt, torch_files
from regard_service.bundle import Manifest

# Loaders by "family" (this project's checkpoints) or "model_type" (those of `transformers`) in config.json.
FAMILIES: dict[str, Callable[[Path], SourceModel]] = {
    transformer.FAMILY: transformer.load,
    recurrent.FAMILY: recurrent.load,
    pointer_generator.FAMILY: pointer_generator.load,
    **dict.fromkeys(captioner.FAMILIES, captioner.load),
    **dict.fromkeys(encoder_decoder.FAMILIES, encoder_decoder.load),
}

# Loaders of families whose checkpoints do not state everything, see `LoadOptions`.
FAMILIES_WITH_OPTIONS: dict[str, Callable[[Path, LoadOptions], SourceModel]] = {
    marian.FAMILY: marian.load,
    joeynmt.TRANSFORMER: joeynmt.load,
    **dict.fromkeys(text_to_text.FAMILIES, text_to_text.load),
    vision_encoder_decoder.FAMILY: vision_encoder_decoder.load,
    blip.FAMILY: blip.load,
}

DEFAULT_OPTIONS = LoadOptions()


def load_source_model(path: Path, load_options: LoadOptions = DEFAULT_OPTIONS) -> SourceModel:
    """Loads a checkpoint of any known family.

    Args:
        path: the checkpoint's folder, or its only file.

    Raises:
        ExportError: there is no checkpoint, its family is unknown, it does not fit its config, or it does not do what
            the caller chose.
    """
    try:
        return _load(path, load_options)
    except (ExportError, OSError):
        raise
    except Exception as error:  # a checkpoint may hold anything
        cause = f"there is no {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        raise ExportError(f"{path} is not what its config says, or is damaged: {cause}") from error


def _load(path: Path, load_options: LoadOptions) -> SourceModel:
    config_file = path / "config.json"
    if not config_file.is_file() and (path / joeynmt.CONFIG_FILE).is_file():
        return joeynmt.load(path, load_options)
    if not config_file.is_file() and student_files.is_student(path):
        return _with_chosen_task(student.load(path, load_options), path, load_options)
    if not config_file.is_file():
        return _load_torch_file(path, load_options)
    config = read_json(config_file)
    family = str(config.get("family") or config.get("model_type") or "")
    if family in FAMILIES_WITH_OPTIONS:
        model = FAMILIES_WITH_OPTIONS[family](path, load_options)
    elif family in FAMILIES:
        model = FAMILIES[family](path)
        if load_options.languages:
            raise ExportError(f"models of family {family} name their languages themselves; omit --languages")
    else:
        known = ", ".join(sorted(FAMILIES.keys() | FAMILIES_WITH_OPTIONS.keys()))
        fault = f"{config_file}: unknown architecture {family!r}" if family else f"{config_file} names no architecture"
        raise ExportError(f"{fault}; known are {known}")
    return _with_chosen_task(model, path, load_options)


def _load_torch_file(path: Path, load_options: LoadOptions) -> SourceModel:
    file = torch_files.find_file(path)
    if file is None:
        raise ExportError(f"{path} holds no checkpoint: there is no config.json")
    return _with_chosen_task(torch_files.load(file, load_options), path, load_options)


def _with_chosen_task(model: SourceModel, path: Path, load_options: LoadOptions) -> SourceModel:
    """Returns the model, or raises ExportError if it does not do the caller's task."""
    if load_options.task not in (None, model.task):
        raise ExportError(f"{path} does {model.task}, not {load_options.task}")
    return model


def load_options_of(manifest: Manifest) -> LoadOptions:
    """The options with which a bundle's checkpoint was loaded."""
    pairs = product(manifest.source_languages, manifest.target_languages)
    families_with_languages = (*FAMILIES_WITH_OPTIONS, joeynmt.RECURRENT, student.FAMILY, *torch_files.FAMILIES)
    return LoadOptions(manifest.task, tuple(pairs) if manifest.family in families_with_languages else ())
