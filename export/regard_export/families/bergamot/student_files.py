"""Finds the files of a student's folder, as Firefox's registry, translateLocally and packages of either lay it out."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from regard_export.checkpoints.languages import LanguagePairs
from regard_export.errors import ExportError

MAX_SETTINGS_BYTES = 2**16
OWN_NAMES = ("model*.bin", "model*.npz")
MODELS = (*OWN_NAMES, "*.npz")
VOCABULARIES = ("vocab*.spm", "srcvocab*.spm", "trgvocab*.spm")
UNKNOWN = "unknown"
_PAIR = re.compile(r"[a-z]+\.([a-z]{2})([a-z]{2})\.")
_SHORT_NAME = re.compile(r"([a-z]{2,3})-([a-z]{2,3})\b")


@dataclass(frozen=True)
class StudentFiles:
    """The files of a student.

    Attributes:
        vocabularies: SentencePiece models of the source and of the target, which may be one file.
        shortlist: None if the folder has none.
        settings: of Marian's decoder, from the folder's config.
        license: the first line of a licence's file; "" without one.
    """

    model: Path
    vocabularies: tuple[Path, Path]
    shortlist: Path | None
    settings: Mapping[str, Any]
    languages: tuple[str, str]
    title: str
    license: str


def is_student(folder: Path) -> bool:
    """Whether a folder holds a model of Marian, compressed or not.

    Any toolkit may write `.npz`, so a name that is not Marian's own counts only beside a vocabulary of SentencePiece.
    """
    if _found(folder, *OWN_NAMES, *_compressed(OWN_NAMES)):
        return True
    models, vocabularies = (_found(folder, *names, *_compressed(names)) for names in (MODELS, VOCABULARIES))
    return bool(models and vocabularies)


def find_files(folder: Path, languages: LanguagePairs) -> StudentFiles:
    """Finds a student's files.

    Args:
        languages: the caller's; if empty, the folder's own.

    Raises:
        ExportError: files are missing, ambiguous, compressed, or damaged.
    """
    packed = _found(folder, "*.gz", "*.zst")
    if packed:
        raise ExportError(f"{folder} is compressed: unpack {', '.join(path.name for path in packed)} first")
    model = _only(folder, "a model", _found(folder, *MODELS))
    shortlists = _found(folder, "lex*.bin")
    described = {**_json(folder / "metadata.json"), **_json(folder / "model_info.json")}
    if len(languages) > 1:
        raise ExportError(f"{folder} holds a model for one pair of languages, not {len(languages)}")
    return StudentFiles(
        model,
        _vocabularies(folder),
        _only(folder, "a shortlist", shortlists) if shortlists else None,
        _settings(folder),
        languages[0] if languages else _languages(model, described),
        str(described.get("modelName") or ""),
        _license(folder),
    )


def _vocabularies(folder: Path) -> tuple[Path, Path]:
    """The source's and the target's; one file for both where there is one."""
    if not _found(folder, *VOCABULARIES):
        raise ExportError(f"{folder} lacks a vocabulary: {' or '.join(VOCABULARIES)}")
    shared, source, target = (_found(folder, pattern) for pattern in VOCABULARIES)
    if shared:
        both = _only(folder, "a vocabulary", shared)
        return both, both
    return _only(folder, "a source vocabulary", source), _only(folder, "a target vocabulary", target)


def _found(folder: Path, *patterns: str) -> list[Path]:
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def _compressed(patterns: tuple[str, ...]) -> list[str]:
    return [f"{pattern}.{suffix}" for pattern in patterns for suffix in ("gz", "zst")]


def _only(folder: Path, title: str, paths: list[Path]) -> Path:
    if len(paths) != 1:
        names = f"several: {', '.join(path.name for path in paths)}" if paths else "none"
        raise ExportError(f"{folder} must hold {title} alone of its kind, and holds {names}")
    return paths[0]


def _json(file: Path) -> dict[str, Any]:
    """An object; empty where there is no file."""
    if not file.is_file():
        return {}
    try:
        content = json.loads(_text(file))
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{file} is no JSON: {error}") from error
    return content if isinstance(content, dict) else {}


def _settings(folder: Path) -> dict[str, Any]:
    """The settings in `config*.yml`; empty without this file."""
    files = _found(folder, "config*.yml", "config*.yaml")
    if not files:
        return {}
    file = _only(folder, "a config", files)
    try:
        content = yaml.safe_load(_text(file))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ExportError(f"{file} is no YAML: {error}") from error
    return content if isinstance(content, dict) else {}


def _text(file: Path) -> str:
    size = file.stat().st_size
    if size > MAX_SETTINGS_BYTES:
        raise ExportError(f"{file} has {size} bytes; at most {MAX_SETTINGS_BYTES} are read")
    return file.read_text(encoding="utf-8")


def _languages(model: Path, described: Mapping[str, Any]) -> tuple[str, str]:
    """Of metadata.json (Firefox), model_info.json (translateLocally), or the model's name, as model.enpt.bin."""
    pair = described.get("sourceLanguage"), described.get("targetLanguage")
    if isinstance(pair[0], str) and isinstance(pair[1], str):
        return pair[0], pair[1]
    match = _SHORT_NAME.match(str(described.get("shortName") or "")) or _PAIR.match(model.name)
    return (match[1], match[2]) if match else (UNKNOWN, UNKNOWN)


def _license(folder: Path) -> str:
    for file in _found(folder, "LICENSE*", "LICENCE*"):
        with file.open(encoding="utf-8", errors="replace") as lines:
            return lines.readline(200).strip()
    return ""
