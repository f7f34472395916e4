"""Reads pairs of sentences in the layouts that people have them in. This module needs no PyTorch.

tsv     a file, a pair a line: source, tab, target; with several target languages a second tab and the target's code
jsonl   a file, an object a line: "source", "target", and with several target languages "language"
lines   a folder, a sentence a line: train.en and train.de, plain or compressed (.gz)
"""

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from regard_models.recipes.pairs import Pair


class BadData(ValueError):
    """The data are not what their layout says; the message names file and line."""


def read(path: Path, layout: str, source: str, targets: Sequence[str]) -> list[Pair]:
    """Reads all pairs, and collapses white space; pairs with an empty side are left out.

    Args:
        layout: a key of `LAYOUTS`.
        source, targets: codes of the languages; `targets` has at least one.

    Raises:
        BadData: a line is malformed, names another language, or lacks its counterpart; or there is no pair.
        OSError: a file cannot be read.
    """
    pairs = [
        Pair(" ".join(p.source.split()), " ".join(p.target.split()), p.language)
        for p in LAYOUTS[layout](path, source, targets)
    ]
    whole = [pair for pair in pairs if pair.source and pair.target]
    missing = [code for code in targets if code not in {pair.language for pair in whole}]
    if missing:
        raise BadData(f"{path}: no pair has the target language {', '.join(missing)}")
    return whole


def _tsv(path: Path, source: str, targets: Sequence[str]) -> Iterator[Pair]:
    for number, line in _lines(path):
        fields = line.split("\t")
        expected = 2 if len(targets) == 1 else 3
        if len(fields) != expected:
            raise BadData(f"{path}, line {number}: has {len(fields)} fields, not {expected} divided by tabs")
        yield Pair(fields[0], fields[1], _language(targets, fields[2:], path, number))


def _jsonl(path: Path, source: str, targets: Sequence[str]) -> Iterator[Pair]:
    for number, line in _lines(path):
        try:
            fields: Any = json.loads(line)
            given = [fields["language"]] if len(targets) > 1 else []
            sides = [fields["source"], fields["target"]]
        except (ValueError, TypeError, KeyError) as error:
            raise BadData(f"{path}, line {number}: no JSON object with the fields: {error}") from error
        if not all(isinstance(side, str) for side in sides):
            raise BadData(f"{path}, line {number}: source and target must be texts")
        yield Pair(sides[0], sides[1], _language(targets, given, path, number))


def _parallel(path: Path, source: str, targets: Sequence[str]) -> Iterator[Pair]:
    for target in targets:
        sides = []
        for code in (source, target):
            file = path / f"train.{code}"
            packed = file.with_name(f"{file.name}.gz")
            sides.append([line for _, line in _lines(packed if packed.is_file() else file)])
        if len(sides[0]) != len(sides[1]):
            raise BadData(f"{path}: train.{source} has {len(sides[0])} lines, train.{target} {len(sides[1])}")
        yield from (Pair(*both, language=target) for both in zip(sides[0], sides[1], strict=True))


LAYOUTS: dict[str, Callable[[Path, str, Sequence[str]], Iterator[Pair]]] = {
    "tsv": _tsv,
    "jsonl": _jsonl,
    "lines": _parallel,
}


def _language(targets: Sequence[str], given: Sequence[str], path: Path, number: int) -> str:
    language = given[0].strip() if given else targets[0]
    if language not in targets:
        raise BadData(f"{path}, line {number}: the target language is {language!r}, not one of {', '.join(targets)}")
    return language


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file from 1 on, without their ends; blank ones at the end of a file are none."""
    with _open(path) as lines:
        try:
            yield from enumerate((line.rstrip("\r\n") for line in lines), 1)
        except UnicodeDecodeError as error:
            raise BadData(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error


def _open(path: Path) -> TextIO:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
