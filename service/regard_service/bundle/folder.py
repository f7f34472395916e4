"""Reads and writes a bundle's folder. A folder that is not exactly what its manifest says is refused."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from regard_service.bundle.manifest import Manifest

MANIFEST = "manifest.json"


class BundleError(Exception):
    """A bundle cannot be served.

    Attributes:
        reasons: every reason found; each names the file or the field.
    """

    def __init__(self, folder: Path, reasons: list[str]) -> None:
        super().__init__(f"bundle {folder.name!r} is refused: " + "; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True)
class Bundle:
    """A bundle that passed every check of `load`."""

    folder: Path
    manifest: Manifest

    def path(self, file: str) -> Path:
        """Returns the path of one of the bundle's files."""
        return self.folder / file

    @classmethod
    def load(cls, folder: Path) -> "Bundle":
        """Reads and checks a bundle.

        Raises:
            BundleError: lists every reason: the manifest is missing, malformed or altered; a file is missing, lies
                outside the bundle, is reached over a link, is not listed, or has another checksum.
        """
        try:
            content = (folder / MANIFEST).read_bytes()
            manifest = Manifest.model_validate_json(content)
        except OSError as error:
            raise BundleError(folder, [f"{MANIFEST}: {error.strerror}"]) from error
        except ValidationError as error:
            reasons = [f"{MANIFEST}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise BundleError(folder, reasons) from error
        is_whole = manifest.checksum in (None, manifest_checksum(json.loads(content)))
        reasons = [] if is_whole else [f"{MANIFEST}: does not match its checksum"]
        reasons += _file_faults(folder, manifest)
        if reasons:
            raise BundleError(folder, reasons)
        return cls(folder, manifest)

    @classmethod
    def write_manifest(cls, folder: Path, manifest: Manifest) -> "Bundle":
        """Writes the manifest with its own checksum and those of the files it names, then loads the bundle.

        The other files must be in place: the manifest is written last.
        """
        files = {name: sha256(folder / name) for name in sorted(manifest.named_files())}
        fields = manifest.model_copy(update={"files": files}).model_dump(mode="json")
        fields["checksum"] = manifest_checksum(fields)
        text = json.dumps(fields, indent=1, ensure_ascii=False) + "\n"
        (folder / MANIFEST).write_text(text, encoding="utf-8")
        return cls.load(folder)


def manifest_checksum(fields: dict[str, Any]) -> str:
    """Returns a manifest's hexadecimal SHA-256: of its JSON without `checksum`, keys sorted, no white space, in UTF-8.

    The checksum covers the JSON as written rather than as understood. A field that a later version adds with a default
    therefore does not change it, and neither does other white space.
    """
    rest = {name: value for name, value in fields.items() if name != "checksum"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sha256(file: Path) -> str:
    """Returns the hexadecimal SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _file_faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Yields the faults of the files that a manifest names or lists."""
    for name in sorted(manifest.named_files() - manifest.files.keys()):
        yield f"{name}: has no checksum in the manifest"
    for name, checksum in manifest.files.items():
        try:
            fault = _file_fault(folder, name, checksum)
        except OSError as error:  # the name is too long, the disk fails, permission is denied
            fault = f"cannot be read: {error.strerror}"
        if fault is not None:
            yield f"{name}: {fault}"


def _file_fault(folder: Path, name: str, checksum: str) -> str | None:
    """Returns the fault of one file, or None."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        return "names a file outside the bundle"
    if not (folder / name).is_file():
        return "is missing"
    if (folder / name).resolve() != folder.resolve() / name:
        return "is reached over a link"
    return None if sha256(folder / name) == checksum else "does not match its checksum"
