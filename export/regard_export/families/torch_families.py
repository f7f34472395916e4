"""The families whose checkpoints PyTorch wrote: their loaders, and the nets that verify them, need it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.files import read_json
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.errors import ExportError
from regard_export.families.hugging_face import (
    adapters,
    blip,
    detectors,
    marian,
    picture_classifiers,
    text_encoders,
    text_to_text,
    vilt,
    vision_encoder_decoder,
)
from regard_export.families.regard_checkpoints import (
    answerer,
    captioner,
    detector,
    encoder_decoder,
    gated_classifier,
    pointer_generator,
    recurrent,
    transformer,
)
from regard_export.families.toolkits import ctranslate2, joeynmt, torch_files

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

NAMED_BY = ("config.json", adapters.CONFIG_FILE)  # what the folder of a checkpoint has
MAX_NAMED = 6
WEIGHTS_SUFFIX = ".safetensors"
FAMILIES_WITH_LANGUAGES = (*FAMILIES_WITH_OPTIONS, ctranslate2.FAMILY, joeynmt.RECURRENT, *torch_files.FAMILIES)


def load_encoder(path: Path, load_options: LoadOptions) -> EncoderModel:
    """Loads a checkpoint of a model without a decoder. Raises ExportError if its family is unknown."""
    config = read_json(path / "config.json")
    family = config.get("family") or config.get("model_type")
    if family == detector.FAMILY:
        return detector.load(path, load_options)
    if family == gated_classifier.FAMILY:
        return gated_classifier.load(path, load_options)
    if family == answerer.FAMILY:
        return answerer.load(path, load_options)
    if family in detectors.FAMILIES:
        return detectors.load(path, load_options)
    if family in picture_classifiers.FAMILIES:
        return picture_classifiers.load(path, load_options)
    if family == vilt.FAMILY:
        return vilt.load(path, load_options)
    return text_encoders.load(path, load_options)


def load(path: Path, load_options: LoadOptions) -> SourceModel:
    """Loads a checkpoint by its config.json, or by the file that a toolkit wrote.

    Raises:
        ExportError: there is no checkpoint, or its family is unknown.
    """
    config_file = path / "config.json"
    if ctranslate2.find(path) is not None:
        return ctranslate2.load(path, load_options)
    if path.is_dir() and adapters.has_adapter(path):
        return _load_adapted(path, load_options)
    if load_options.base is not None:
        raise ExportError(f"--base has no meaning for {path}, which holds no adapter ({adapters.CONFIG_FILE})")
    if config_file.is_file():
        return _load_by_config(config_file, load_options)
    if (path / joeynmt.CONFIG_FILE).is_file():
        return joeynmt.load(path, load_options)
    file = torch_files.find_file(path)
    if file is None and (path / "manifest.json").is_file():
        raise ExportError(f"{path} is a bundle already, which `regard serve --model-directories {path.parent}` serves")
    if file is None:
        raise _no_checkpoint(path)
    if file.suffix == WEIGHTS_SUFFIX and (file.parent / "config.json").is_file():
        raise ExportError(f"{file} holds weights alone; what they are is told beside it: name the folder {file.parent}")
    return torch_files.load(file, load_options)


def _no_checkpoint(path: Path) -> ExportError:
    """The error of a path without a checkpoint; it names those in the folders within, as a Trainer leaves them."""
    inner = sorted({file.parent.name for name in NAMED_BY for file in path.glob(f"*/{name}")})
    hint = f"; there are some in its folders: name {' or '.join(inner[:MAX_NAMED])}" if inner else ""
    return ExportError(f"{path} holds no checkpoint: there is no config.json{hint}")


def _load_adapted(folder: Path, load_options: LoadOptions) -> SourceModel:
    with adapters.merged(folder, load_options.base, is_pickle_trusted=load_options.is_pickle_trusted) as (merged, base):
        model = _load_by_config(merged / "config.json", load_options)
    source = f"{base} with the adapter {folder.name}"
    return replace(model, provenance=model.provenance.model_copy(update={"source": source}))


def _load_by_config(config_file: Path, load_options: LoadOptions) -> SourceModel:
    config = read_json(config_file)
    family = str(config.get("family") or config.get("model_type") or "")
    if family in FAMILIES_WITH_OPTIONS:
        return FAMILIES_WITH_OPTIONS[family](config_file.parent, load_options)
    if family in FAMILIES:
        model = FAMILIES[family](config_file.parent)
        if load_options.languages:
            raise ExportError(f"models of family {family} name their languages themselves; omit --languages")
        return model
    known = ", ".join(sorted(FAMILIES.keys() | FAMILIES_WITH_OPTIONS.keys()))
    fault = f"{config_file}: unknown architecture {family!r}" if family else f"{config_file} names no architecture"
    raise ExportError(f"{fault}; known are {known}")
