"""Checkpoints that are one PyTorch file of weights, options and vocabularies: OpenNMT-py's and fairseq's.

Their options are an `argparse.Namespace`, which is read as plain data, without making an object of its class.
"""

import argparse
import re
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from regard_export.checkpoints.files import read_pickle
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.errors import ExportError
from regard_export.families.toolkits import fairseq, opennmt

SUFFIXES = (".pt", ".pth")
OPTION_KEYS = {"opt", "args", "cfg"}
TRAINING_STATE = re.compile(r"(optimizer|scheduler|scaler|rng_state.*|training_args)\..*")  # of the Trainer; no model
TOOLKIT_CLASS = re.compile(r"GLOBAL ((?:fairseq|onmt)\.[\w.]+)")  # in PyTorch's refusal of a pickle
FAMILIES = (opennmt.TRANSFORMER, opennmt.RECURRENT, fairseq.FAMILY)


class PlainNamespace(SimpleNamespace):
    """Replaces `argparse.Namespace` when a file is read."""


class Unread:
    """Replaces a toolkit's class whose objects the export does not read: each becomes a dict."""

    def __new__(cls, *_: object, **__: object) -> OrderedDict[Any, Any]:  # type: ignore[misc]  # no object of it is made
        """A dict."""
        return OrderedDict()


def find_file(path: Path) -> Path | None:
    """Returns the file itself, or the only checkpoint in a folder; None if the folder holds none.

    Raises:
        ExportError: the folder holds several.
    """
    if path.is_file():
        return path
    found = sorted(file for suffix in SUFFIXES for file in path.glob(f"*{suffix}"))
    files = [file for file in found if not TRAINING_STATE.fullmatch(file.name)]
    if len(files) > 1:
        raise ExportError(f"{path} holds several checkpoints; name one: {', '.join(file.name for file in files)}")
    return files[0] if files else None


def load(file: Path, load_options: LoadOptions) -> SourceModel:
    """Reads a checkpoint.

    Raises:
        ExportError: the file is of neither toolkit, or has unsupported options.
    """
    content = _read(file, is_trusted=load_options.is_pickle_trusted)
    if not isinstance(content, dict):
        raise ExportError(f"{file} holds a {type(content).__name__}, not a checkpoint")
    content |= {name: _plain(content[name]) for name in OPTION_KEYS & content.keys()}
    if {"vocab", "opt"} <= content.keys():
        return opennmt.load(file, content, load_options)
    if "model" in content and {"args", "cfg"} & content.keys():
        return fairseq.load(file, content, load_options)
    keys = ", ".join(sorted(map(str, content))[:8])
    raise ExportError(f"{file} is no checkpoint of OpenNMT-py 3 or fairseq: it holds {keys}")


def _read(file: Path, *, is_trusted: bool) -> Any:
    """Reads a file, in which objects of the toolkits' own classes, such as fairseq's meters, become placeholders.

    No code of theirs runs, so that such a file needs no trust.
    """
    placeholders: dict[str, type] = {"argparse.Namespace": PlainNamespace}
    while True:
        safe: list[Any] = [(placeholder, name) for name, placeholder in placeholders.items()]
        try:
            with torch.serialization.safe_globals(safe):
                return read_pickle(file, is_trusted=False)
        except ExportError as error:
            unread = TOOLKIT_CLASS.search(str(error.__cause__))
            if unread is not None and unread[1] not in placeholders:
                placeholders[unread[1]] = Unread
            elif is_trusted:
                return read_pickle(file, is_trusted=True)
            else:
                raise


def _plain(options: Any) -> Any:
    """Options by name, nested ones too."""
    if isinstance(options, PlainNamespace | argparse.Namespace):
        options = vars(options)
    return {name: _plain(value) for name, value in options.items()} if isinstance(options, dict) else options
