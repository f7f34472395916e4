"""Reads the files of a student's folder, compressed or not, with limits known before anything is allocated."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from regard_export.errors import ExportError

COMPRESSED = ".gz"
MAX_RATIO = 32  # of a compressed file; weights and lists of ids shrink to a half or a third
MIN_UNPACKED_BYTES = 2**20  # what a small compressed file may hold at least
MAX_SETTINGS_BYTES = 2**16
MAX_SETTINGS_DEPTH = 8  # of lists and mappings in each other; the time of PyYAML grows with the square of it
MAX_NUMBER = 2**64


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

    Aliases, deep nesting and huge numbers are refused: with them a small file takes long to read or to show.

    Raises:
        ExportError: the content is no YAML, or no mapping; the message begins with the title.
    """
    try:
        text = content.decode("utf-8")
        _refuse_costly(title, text)
        settings = yaml.safe_load(text)
    except ExportError:
        raise
    except Exception as error:  # PyYAML raises whatever Python does for a tag with a value of another type
        raise ExportError(f"{title} is no YAML: {type(error).__name__}: {error}") from error
    if not isinstance(settings, dict):
        raise ExportError(f"{title} holds {type(settings).__name__}, not names with values")
    if any(abs(number) > MAX_NUMBER for number in _whole_numbers(settings)):
        raise ExportError(f"{title} is refused: it holds a number above 2**64")
    return settings


def _refuse_costly(title: str, text: str) -> None:
    """Raises ExportError at the first alias, or where nesting gets too deep; nothing is built meanwhile."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ExportError(f"{title} is refused: it has YAML aliases")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_SETTINGS_DEPTH:
            raise ExportError(f"{title} is refused: its YAML is nested more than {MAX_SETTINGS_DEPTH} deep")


def _whole_numbers(value: Any) -> Iterator[int]:
    """All within a value of YAML. Hexadecimal ones have no limit there, and Python refuses to show large ones."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, dict | list | set | tuple):
        for each in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _whole_numbers(each)
