"""Folders of sentence-transformers (Reimers and Gurevych 2019): an encoder, how its states are pooled, and whether
vectors are normalized.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regard_export.checkpoints.files import read_json
from regard_export.errors import ExportError
from regard_service.bundle import Pooling

MODULES, TRANSFORMER_CONFIG = "modules.json", "sentence_bert_config.json"
PROMPTS_CONFIG = "config_sentence_transformers.json"
# Of the pooling's config; the newer form names one in `pooling_mode`.
POOLING_FLAGS: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "class",
    "pooling_mode_max_tokens": "max",
}
POOLING_NAMES: dict[str, Pooling] = {"mean": "mean", "cls": "class", "max": "max"}


@dataclass(frozen=True)
class SentenceModel:
    """The settings of a folder of sentence-transformers; the defaults hold for an encoder alone.

    Attributes:
        is_whole: whether the folder is one of sentence-transformers.
        transformer: the subfolder of the encoder; "" is the folder itself.
        max_tokens: of the longest text; None leaves it to the encoder.
        lower_cases: whether texts are lower-cased before the tokenizer reads them.
    """

    is_whole: bool = False
    transformer: str = ""
    pooling: Pooling = "mean"
    is_normalized: bool = False
    max_tokens: int | None = None
    lower_cases: bool = False

    @staticmethod
    def lower_cased(tokenizer: str) -> str:
        """A tokenizer's JSON that lower-cases first."""
        content = json.loads(tokenizer)
        steps = [{"type": "Lowercase"}, *([content["normalizer"]] if content["normalizer"] else [])]
        content["normalizer"] = {"type": "Sequence", "normalizers": steps}
        return json.dumps(content, ensure_ascii=False)


def read_sentence_model(folder: Path) -> SentenceModel:
    """Reads `modules.json` and what it names.

    Raises:
        ExportError: the folder has modules that are not supported; all are named.
    """
    if not (folder / MODULES).is_file():
        return SentenceModel()
    try:
        modules = json.loads((folder / MODULES).read_text(encoding="utf-8"))
        paths = {str(module["type"]).rpartition(".")[2]: str(module.get("path", "")) for module in modules}
    except (ValueError, TypeError, KeyError) as error:
        raise ExportError(f"{folder / MODULES} is no list of modules: {error!r}") from error
    unknown = sorted(paths.keys() - {"Transformer", "Pooling", "Normalize"})
    if unknown or "Transformer" not in paths:
        fault = f"modules that are not supported: {', '.join(unknown)}" if unknown else "no module Transformer"
        raise ExportError(f"{folder / MODULES} names {fault}")
    _refuse_prompt(folder)
    own = read_json(folder / paths["Transformer"] / TRANSFORMER_CONFIG)
    return SentenceModel(
        is_whole=True,
        transformer=paths["Transformer"],
        pooling=_pooling(folder / paths["Pooling"] / "config.json") if "Pooling" in paths else "mean",
        is_normalized="Normalize" in paths,
        max_tokens=own.get("max_seq_length"),
        lower_cases=bool(own.get("do_lower_case")),
    )


def _pooling(file: Path) -> Pooling:
    """The one pooling that a config states."""
    config: dict[str, Any] = read_json(file)
    modes = config.get("pooling_mode")
    named = [modes] if isinstance(modes, str) else list(modes or ())
    chosen = named or [name for name, is_on in config.items() if name.startswith("pooling_mode_") and is_on is True]
    known = {**POOLING_NAMES, **POOLING_FLAGS}
    if len(chosen) != 1 or chosen[0] not in known:
        stated = ", ".join(map(str, chosen)) or "none"
        raise ExportError(f"{file}: the pooling must be one of mean, cls and max tokens; it is {stated}")
    return known[chosen[0]]


def _refuse_prompt(folder: Path) -> None:
    """Raises ExportError for a text that precedes every input unless the caller names another."""
    config = read_json(folder / PROMPTS_CONFIG)
    name = config.get("default_prompt_name")
    if name is not None and (config.get("prompts") or {}).get(name):
        raise ExportError(f"{folder / PROMPTS_CONFIG}: default_prompt_name {name!r} is not supported")
