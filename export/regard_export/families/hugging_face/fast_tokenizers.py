"""Tokenizers of `transformers` that the `tokenizers` library runs, as files for a bundle."""

import json
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from regard_export.checkpoints.files import read_json
from regard_export.errors import ExportError

TOKENIZER_FILES = ("tokenizer.json", "spiece.model", "sentencepiece.bpe.model", "source.spm", "vocab.json", "vocab.txt")

BYTE_TOKENIZER = "ByT5Tokenizer"  # needs no file of pieces


def open_tokenizer(folder: Path) -> Any:
    """Opens a checkpoint's tokenizer, without running the checkpoint's code.

    Raises:
        ExportError: there is none, or it cannot be read.
    """
    is_bytes = read_json(folder / "tokenizer_config.json").get("tokenizer_class") == BYTE_TOKENIZER
    if not is_bytes and not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ExportError(f"{folder} holds no tokenizer: none of {', '.join(TOKENIZER_FILES)}")
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers, tokenizers and sentencepiece raise many kinds
        raise ExportError(f"the tokenizer in {folder} cannot be read: {error}") from error


def bundled_tokenizer(tokenizer: Any) -> str:
    """The tokenizer as JSON, which never produces a special token from text.

    A unigram model has its special tokens as pieces. They get a space in their names, which no text matches.
    """
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    content |= {"post_processor": None, "truncation": None, "padding": None}
    if content["model"]["type"] == "Unigram":
        special = {token["content"] for token in content["added_tokens"] if token["special"]}
        pieces = content["model"]["vocab"]
        known = {piece for piece, _ in pieces}
        content["model"]["vocab"] = [[f"{piece} " if piece in special else piece, score] for piece, score in pieces]
        content["added_tokens"] = [t for t in content["added_tokens"] if t["content"] not in special & known]
    return json.dumps(content, ensure_ascii=False)
