"""Finds the files of a student's folder, as Firefox's registry, translateLocally and packages of either lay it out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regard_export.checkpoints.languages import LanguagePairs, is_language_code
from regard_export.errors import ExportError
from regard_export.families.bergamot.contents import (
    COMPRESSED,
    read_json_settings,
    read_yaml_settings,
    unpacked_name,
)

OWN_NAMES = ("model*.bin", "model*.npz")
MODELS = (*OWN_NAMES, "*.npz")
SHARED, SOURCE, TARGET = "vocab*.spm", "srcvocab*.spm", "trgvocab*.spm"
VOCABULARIES = (SHARED, SOURCE, TARGET)
SHORTLISTS = ("lex*.bin",)
CONFIGS = ("config*.yml", "config*.yaml", "*.decoder.yml")
UNREADABLE = ".zst"  # Python has no decompressor before 3.14
UNKNOWN = "unknown"
MAX_LINE = 200  # characters
_PAIR = re.compile(r"[a-z]+\.(?!best\.|base\.|tiny\.|full\.)([a-z]{2})([a-z]{2})\.")
_SHORT_NAME = re.compile(r"([a-z]{2,3})-([a-z]{2,3})\b")


@dataclass(frozen=True)
class StudentFiles:
    """The files of a student; any of them may be compressed (`.gz`).

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
    if _found(folder, *_packed(OWN_NAMES)):
        return True
    return all(_found(folder, *_packed(patterns)) for patterns in (MODELS, VOCABULARIES))


def find_files(folder: Path, languages: LanguagePairs) -> StudentFiles:
    """Finds a student's files by the names in its config, else by the customary names.

    Args:
        languages: the caller's; if empty, the folder's own.

    Raises:
        ExportError: files are missing, ambiguous, or compressed in a format that cannot be read; with every fault.
    """
    if len(languages) > 1:
        raise ExportError(f"{folder} holds a model for one pair of languages, not {len(languages)}")
    settings = _settings(folder)
    named = _Named(folder, settings)
    faults = list(named.faults())
    model = named.one("models") or _one(folder, "a model", MODELS, faults)
    vocabularies = named.vocabularies() or _vocabularies(folder, faults)
    shortlist = named.one("shortlist") or _one(folder, "a shortlist", SHORTLISTS, faults, is_required=False)
    if faults or model is None or vocabularies is None:
        raise ExportError(f"{folder} is no complete student: {'; '.join(faults)}")
    described = {**read_json_settings(folder / "metadata.json"), **read_json_settings(folder / "model_info.json")}
    return StudentFiles(
        model,
        vocabularies,
        shortlist,
        settings,
        languages[0] if languages else _languages(model, described),
        _line(described.get("modelName") or ""),
        _license(folder),
    )


class _Named:
    """The files that a config of Marian's decoder names: `models`, `vocabs` and `shortlist`."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._folder = folder
        self._names = {kind: self._texts(settings.get(kind)) for kind in ("models", "vocabs", "shortlist")}
        self._names["shortlist"] = self._names["shortlist"][:1]  # behind the file stand sizes and flags

    def faults(self) -> Iterator[str]:
        """What is named and cannot be used."""
        for kind, names in self._names.items():
            most = 2 if kind == "vocabs" else 1
            if len(names) > most:
                yield f"its config names {len(names)} {kind}, more than {most}: {', '.join(names)}"
            yield from (f"{name}, which its config names, is missing" for name in names if self._file(name) is None)

    def one(self, kind: str) -> Path | None:
        """The only file of a kind; None if the config names none, or it is missing."""
        names = self._names[kind]
        return self._file(names[0]) if names else None

    def vocabularies(self) -> tuple[Path, Path] | None:
        """The source's and the target's."""
        files = [self._file(name) for name in self._names["vocabs"]]
        if not files or files[0] is None or files[-1] is None:
            return None
        return files[0], files[-1]

    def _file(self, name: str) -> Path | None:
        """A file of the folder itself, whichever folder its name gives: configs keep the paths of their authors."""
        base = name.replace("\\", "/").rpartition("/")[2]
        found = [path for path in (self._folder / base, self._folder / f"{base}{COMPRESSED}") if path.is_file()]
        return found[0] if base and found else None

    @staticmethod
    def _texts(value: Any) -> list[str]:
        values = value if isinstance(value, list) else [value]
        return [text for text in values if isinstance(text, str) and text]


def _vocabularies(folder: Path, faults: list[str]) -> tuple[Path, Path] | None:
    """The source's and the target's; one file for both where there is one."""
    if not _found(folder, *_packed((SOURCE, TARGET))):
        both = _one(folder, "a vocabulary", (SHARED,), faults, instead=f" (or {SOURCE} and {TARGET})")
        return (both, both) if both else None
    source = _one(folder, "a source vocabulary", (SOURCE,), faults)
    target = _one(folder, "a target vocabulary", (TARGET,), faults)
    return (source, target) if source and target else None


def _one(
    folder: Path,
    title: str,
    patterns: tuple[str, ...],
    faults: list[str],
    *,
    is_required: bool = True,
    instead: str = "",
) -> Path | None:
    """The only file with one of these names; adds a fault if there are several, or none that can be read."""
    found = _found(folder, *_packed(patterns))
    unpacked = {path.name for path in found}
    usable = [path for path in found if path.suffix != COMPRESSED or unpacked_name(path) not in unpacked]
    usable = [path for path in usable if path.suffix != UNREADABLE or path.stem not in unpacked]
    if len(usable) > 1:
        faults.append(f"it holds {title} several times: {', '.join(path.name for path in usable)}")
    elif not usable and is_required:
        faults.append(f"{title} is missing: {' or '.join(patterns)}{instead}")
    elif usable and usable[0].suffix == UNREADABLE:
        faults.append(f"{usable[0].name} is compressed by Zstandard: unpack it first (`zstd -d {usable[0].name}`)")
    return usable[0] if len(usable) == 1 else None


def _found(folder: Path, *patterns: str) -> list[Path]:
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def _packed(patterns: tuple[str, ...]) -> list[str]:
    """The patterns, and those of compressed files."""
    return [f"{pattern}{suffix}" for suffix in ("", COMPRESSED, UNREADABLE) for pattern in patterns]


def _settings(folder: Path) -> dict[str, Any]:
    """The settings of Marian's decoder; empty without its config."""
    files = _found(folder, *CONFIGS)
    if len(files) > 1:
        raise ExportError(f"{folder} must hold one config, and holds {', '.join(path.name for path in files)}")
    return read_yaml_settings(files[0]) if files else {}


def _languages(model: Path, described: Mapping[str, Any]) -> tuple[str, str]:
    """Of metadata.json (Firefox), model_info.json (translateLocally), or the model's name, as model.enpt.bin."""
    for names in (("sourceLanguage", "targetLanguage"), ("fromLang", "toLang")):
        pair = [described.get(name) for name in names]
        if all(is_language_code(code) for code in pair):
            return str(pair[0]), str(pair[1])
    match = _SHORT_NAME.match(str(described.get("shortName") or "")) or _PAIR.match(model.name)
    return (match[1], match[2]) if match else (UNKNOWN, UNKNOWN)


def _license(folder: Path) -> str:
    for file in _found(folder, "LICENSE*", "LICENCE*"):
        with file.open(encoding="utf-8", errors="replace") as lines:
            return _line(lines.readline(MAX_LINE))
    return ""


def _line(value: Any) -> str:
    """A text of a foreign file as a line of the manifest: without control characters and halves of surrogate pairs."""
    return "".join(character for character in str(value)[:MAX_LINE] if character.isprintable()).strip()
