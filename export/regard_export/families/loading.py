"""Loads a checkpoint of any family: weights, config and tokenizer in, a `SourceModel` out."""

from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from regard_export.checkpoints.any_model import AnyModel
from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.files import lfs_pointers, read_json
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.errors import ExportError
from regard_export.families.bergamot import student, student_files
from regard_export.families.installed import family_named, family_of_checkpoint
from regard_export.families.installed import load as load_installed
from regard_service.bundle import Manifest, QuestionSource, Task, TextSource

TORCH_FAMILIES = "regard_export.families.torch_families"  # imported when it is needed: others do without PyTorch
TORCH_MODULES = ("torch", "transformers")
INSTALL_TORCH = (
    "pip install 'regard[export-torch]', or in a checkout pip install '.[export-torch]' ./export ./models ./service"
)

ENCODER_TASKS: tuple[Task, ...] = ("encoding", "classification", "mask_filling", "detection", "answering")
ENCODER_CLASSES = (
    *("ForSequenceClassification", "ForTokenClassification", "ForMaskedLM", "ForImageClassification"),
    *("ForObjectDetection", "ViltForQuestionAnswering"),
    *("BertModel", "RobertaModel", "CamembertModel", "DebertaV2Model"),
)
ENCODER_FAMILIES = ("regard-answerer", "regard-detector", "regard-gated-classifier")  # of this project's checkpoints

DEFAULT_OPTIONS = LoadOptions()


def load_any_model(path: Path, load_options: LoadOptions = DEFAULT_OPTIONS) -> AnyModel:
    """Loads a checkpoint of any known family, of models without a decoder too. Raises ExportError as
    `load_source_model` does.
    """
    if not _is_encoder(path, load_options.task):
        return load_source_model(path, load_options)
    try:
        encoder: EncoderModel = _torch_families(str(path)).load_encoder(path, load_options)
    except Exception as error:  # a checkpoint may hold anything
        raise _readable(path, error) from error
    if load_options.languages or load_options.prefixes or load_options.max_source_tokens or load_options.base:
        raise ExportError(f"--languages, --prefix, --max-source-tokens and --base have no meaning for {encoder.task}")
    return encoder


def _is_encoder(path: Path, task: Task | None) -> bool:
    """Whether a folder holds a model without a decoder, as its files say, or as the caller wants it."""
    if task is not None:
        return task in ENCODER_TASKS
    if (path / "modules.json").is_file():
        return True
    config = read_json(path / "config.json")
    if config.get("family") in ENCODER_FAMILIES:
        return True
    return any(str(name).endswith(ENCODER_CLASSES) for name in config.get("architectures") or ())


def load_source_model(path: Path, load_options: LoadOptions = DEFAULT_OPTIONS) -> SourceModel:
    """Loads a checkpoint of any known family.

    Args:
        path: the checkpoint's folder, or its only file.

    Raises:
        ExportError: there is no checkpoint, its family is unknown or needs PyTorch, which is not installed; or it does
            not fit its config, or does not do what the caller chose.
    """
    try:
        model = _load(path, load_options)
    except Exception as error:  # a checkpoint may hold anything
        raise _readable(path, error) from error
    if load_options.task not in (None, model.task):
        raise ExportError(f"{path} does {model.task}, not {load_options.task}")
    if model.source.prefix_texts != dict(load_options.prefixes):
        raise ExportError(f"--prefix has no meaning for models of family {model.family}")
    if load_options.max_source_tokens not in (None, model.max_source_tokens):
        raise ExportError(
            f"--max-source-tokens has no meaning for models of family {model.family}: they read up to "
            f"{model.max_source_tokens} tokens"
        )
    _refuse_equal_targets(model)
    return model


def _readable(path: Path, error: Exception) -> Exception:
    """The error of a checkpoint that cannot be read, in words."""
    pointers = lfs_pointers(path)  # only now: a file that nothing reads may be one
    if pointers:
        names = ", ".join(file.name for file in pointers)
        return ExportError(f"{path}: git-lfs left pointers in place of files, run git lfs pull: {names}")
    if isinstance(error, OSError):
        return error
    if isinstance(error, ExportError):  # readers below name a weight or an option, not whose it is
        return error if str(path) in str(error) else ExportError(f"{path}: {error}")
    return ExportError(f"{path} is not what its config says, or is damaged: {_cause(error)}")


def _cause(error: Exception) -> str:
    if isinstance(error, ValidationError):  # a number of the config that no manifest may state
        return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
    return f"there is no {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"


def _load(path: Path, load_options: LoadOptions) -> SourceModel:
    installed = family_of_checkpoint(path)
    if installed is not None:
        return load_installed(installed, path, load_options)
    has_other = (path / "config.json").is_file() or is_ctranslate2(path)
    if not has_other and student_files.is_student(path):
        return student.load(path, load_options)
    model: SourceModel = _torch_families(str(path)).load(path, load_options)
    return model


def is_ctranslate2(path: Path) -> bool:
    """Whether a folder holds a model of CTranslate2, whose file has the name that a student's may have, too."""
    file = path / "model.bin"
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return b"Spec\0" in stream.read(64)


def _torch_families(title: str) -> Any:
    """The module of the families whose checkpoints PyTorch wrote.

    Raises:
        ExportError: PyTorch or `transformers` is not installed; the message names the extra that installs them.
    """
    try:
        return import_module(TORCH_FAMILIES)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in TORCH_MODULES:
            raise
        raise ExportError(
            f"{title} holds no student in the format of Marian, and what PyTorch wrote is read with it (there is no "
            f"module {error.name}): {INSTALL_TORCH}"
        ) from error


def _refuse_equal_targets(model: SourceModel) -> None:
    """Raises ExportError if two target languages give the model the same input, so that their outputs are the same."""
    first: dict[tuple[object, ...], str] = {}
    prefixes = model.source.prefix_ids if isinstance(model.source, TextSource) else {}
    for target in model.target_languages:
        prefix = prefixes.get(target, prefixes.get("", ()))
        frame = (prefix, model.target.forced_first_id(target))
        if frame in first:
            raise ExportError(
                f"nothing tells the target languages {first[frame]} and {target} apart: give the text that precedes an "
                f"input of each, --prefix {target}=TEXT, or one of them alone: --languages SOURCE-{target}"
            )
        first[frame] = target


def load_options_of(manifest: Manifest) -> LoadOptions:
    """The options with which a bundle's checkpoint was loaded."""
    if not manifest.has_decoder:
        return LoadOptions(manifest.task)
    pairs = tuple(product(manifest.source_languages, manifest.target_languages))
    source = manifest.source
    return LoadOptions(
        manifest.task,
        pairs if _takes_languages(manifest) else (),
        prefixes=() if isinstance(source, QuestionSource) else tuple(source.prefix_texts.items()),
        max_source_tokens=manifest.max_source_tokens if isinstance(source, TextSource) else None,
    )


def _takes_languages(manifest: Manifest) -> bool:
    if manifest.family == student.FAMILY:
        return True
    installed = family_named(manifest.family)
    if installed is not None:
        return installed.takes_languages
    return manifest.family in _torch_families(f"the checkpoint of {manifest.name}").FAMILIES_WITH_LANGUAGES
