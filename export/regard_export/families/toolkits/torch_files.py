"""Checkpoints of toolkits that are one PyTorch file of weights, options and vocabularies: OpenNMT-py's and fairseq's.

Their options are an `argparse.Namespace`, which is read as plain data: no class of theirs, nor of argparse, is made.
"""

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from regard_export.checkpoints.source_model import SourceModel, Wanted
from regard_export.errors import ExportError
from regard_export.families.hugging_face.net_loading import read_checkpoint_pickle
from regard_export.families.toolkits import fairseq, opennmt

SUFFIXES = (".pt", ".pth")
OPTIONS = {"opt", "args", "cfg"}
FAMILIES = (opennmt.TRANSFORMER, opennmt.RECURRENT, fairseq.FAMILY)


class Options(SimpleNamespace):
    """Stands in for `argparse.Namespace`."""


def find(path: Path) -> Path | None:
    """The file itself, or the only one of its kind in a folder.

    Raises:
        ExportError: the folder holds several.
    """
    if path.is_file():
        return path
    files = sorted(file for suffix in SUFFIXES for file in path.glob(f"*{suffix}"))
    if len(files) > 1:
        raise ExportError(f"{path} holds several checkpoints; name one: {', '.join(file.name for file in files)}")
    return files[0] if files else None


def load(file: Path, wanted: Wanted) -> SourceModel:
    """Reads a checkpoint.

    Raises:
        ExportError: it is neither toolkit's, or asks for what is not supported.
    """
    with torch.serialization.safe_globals([(Options, "argparse.Namespace")]):
        content = read_checkpoint_pickle(file, trust=wanted.trust_pickle)
    if not isinstance(content, dict):
        raise ExportError(f"{file} holds a {type(content).__name__}, not a checkpoint")
    content |= {name: _plain(content[name]) for name in OPTIONS & content.keys()}
    if {"vocab", "opt"} <= content.keys():
        return opennmt.load(file, content, wanted)
    if "model" in content and {"args", "cfg"} & content.keys():
        return fairseq.load(file, content, wanted)
    keys = ", ".join(sorted(map(str, content))[:8])
    raise ExportError(f"{file} is no checkpoint of OpenNMT-py 3 or fairseq: it holds {keys}")


def _plain(options: Any) -> Any:
    """Options by name, whatever held them; those of those too."""
    if isinstance(options, Options | argparse.Namespace):
        options = vars(options)
    return {name: _plain(value) for name, value in options.items()} if isinstance(options, dict) else options
