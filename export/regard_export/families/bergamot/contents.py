"""Reads the files of a student's folder, compressed or not, with limits known before anything is allocated."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import yaml

from regard_export.errors import ExportError

COMPRESSED = ".gz"
MAX_RATIO = 32  # of a compressed file; weights and lists of ids shrink to a half or a third
MIN_UNPACKED_BYTES = 2**20  # what a small compressed file may hold at least
MAX_SETTINGS_BYTES = 2**16


def read_content(path: Path, max_bytes: int) -> bytes:
    """A file's content, unpacked if its name ends in `.gz`.

    Raises:
        ExportError: the file is too large, or no gzip file; the message names file and cause.
    """
    size = path.stat().st_size
    if size > max_bytes:
        raise ExportError(f"{path} has {size} bytes; at most {max_bytes} are read")
    if path.suffix != COMPRESSED:
        return path.read_bytes()
    limit = min(max_bytes, max(MIN_UNPACKED_BYTES, MAX_RATIO * size))
    try:
        with gzip.open(path) as stream:
            content = stream.read(limit + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ExportError(f"{path} is damaged or no gzip file: {error}") from error
    if len(content) > limit:
        raise ExportError(f"{path} unpacks to more than {limit} bytes, which are not read")
    return content


def unpacked_name(path: Path) -> str:
    """The file's name without the compression's suffix."""
    return path.name.removesuffix(COMPRESSED)


def read_json_settings(file: Path) -> dict[str, Any]:
    """An object; empty where there is no file."""
    if not file.is_file():
        return {}
    try:
        content = json.loads(read_content(file, MAX_SETTINGS_BYTES))
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{file} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise ExportError(f"{file} holds a {type(content).__name__}, not an object")
    return content


def read_yaml_settings(file: Path) -> dict[str, Any]:
    """Settings by name."""
    return parse_yaml(f"{file}", read_content(file, MAX_SETTINGS_BYTES))


def parse_yaml(title: str, content: bytes) -> dict[str, Any]:
    """Settings by name.

    Aliases are refused: nested ones make a small file a huge value.

    Raises:
        ExportError: the content is no YAML, or no mapping; the message begins with the title.
    """
    try:
        text = content.decode("utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise ExportError(f"{title} is refused: it has YAML aliases")
        settings = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ExportError(f"{title} is no YAML: {error}") from error
    if not isinstance(settings, dict):
        raise ExportError(f"{title} holds {type(settings).__name__}, not names with values")
    return settings
