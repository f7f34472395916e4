"""Reads and writes a bundle's folder. A folder that is not exactly what its manifest says is refused."""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from regard_service.bundle.external_data import NotOnnx, external_files
from regard_service.bundle.manifest import Manifest

MANIFEST = "manifest.json"


MAX_MANIFEST_BYTES = 16 * 2**20  # the largest of our own have 20 kB


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
            content = read_manifest(folder)
            manifest = Manifest.model_validate_json(content)
        except OSError as error:
            raise BundleError(folder, [f"{MANIFEST}: {error.strerror}"]) from error
        except ValidationError as error:
            reasons = [f"{MANIFEST}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise BundleError(folder, reasons) from error
        is_whole = manifest.checksum in (None, manifest_checksum(json.loads(content)))
        reasons = [] if is_whole else [f"{MANIFEST}: does not match its checksum"]
        reasons += _file_faults(folder, manifest)
        reasons += [] if reasons else _graph_faults(folder, manifest)
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
        _replace(folder / MANIFEST, text)
        return cls.load(folder)


def _replace(file: Path, text: str) -> None:
    """Writes a file at once: whoever reads it meanwhile reads the old text or the new one."""
    whole = file.with_name(f".{file.name}.new")
    whole.write_text(text, encoding="utf-8")
    whole.replace(file)


def read_manifest(folder: Path) -> bytes:
    """Reads a manifest. Raises OSError if it is missing, huge, or no file: a pipe could be read for ever."""
    descriptor = os.open(folder / MANIFEST, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is not a file")
        if status.st_size > MAX_MANIFEST_BYTES:
            raise OSError(errno.EFBIG, f"has {status.st_size} bytes; the limit is {MAX_MANIFEST_BYTES}")
        return stream.read(MAX_MANIFEST_BYTES)


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


def _graph_faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Yields the files that graphs take weights from although the manifest does not list them."""
    for name in sorted({graph.file for graph in manifest.graphs()}):
        try:
            unlisted = sorted(external_files(folder, name) - manifest.files.keys())
        except NotOnnx as error:
            yield f"{name}: {error}"
            continue
        yield from (f"{name}: takes weights from {other!r}, which the manifest does not list" for other in unlisted)


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
