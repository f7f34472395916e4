"""BertJapaneseTokenizer of `transformers`, as a captioner's: it only writes, for which a list of pieces is enough."""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models
from transformers import BertJapaneseTokenizer

from regard_export.checkpoints.files import read_json
from regard_export.errors import ExportError

NAME = BertJapaneseTokenizer.__name__
SUBWORDS = ("wordpiece", "character")  # kinds of pieces that join in the same way


def is_japanese(folder: Path) -> bool:
    """Whether a checkpoint's tokenizer is one of these."""
    config = read_json(folder / "config.json")
    places = (read_json(folder / "tokenizer_config.json"), config, config.get("decoder") or {})
    return any(place.get("tokenizer_class") == NAME for place in places)


def open_japanese_tokenizer(folder: Path) -> Any:
    """Opens the tokenizer. It writes without a dictionary, so that neither MeCab nor its kin need to be installed.

    Raises:
        ExportError: it cannot be read, or its pieces are of another kind.
    """
    try:
        tokenizer = BertJapaneseTokenizer.from_pretrained(folder, local_files_only=True, word_tokenizer_type="basic")
    except Exception as error:  # transformers raises many kinds
        raise ExportError(f"the tokenizer in {folder} cannot be read: {error}") from error
    if tokenizer.subword_tokenizer_type not in SUBWORDS:
        raise ExportError(f"{folder}: {NAME} with subword_tokenizer_type {tokenizer.subword_tokenizer_type!r}")
    return tokenizer


def japanese_writer(tokenizer: Any) -> str:
    """The tokenizer as JSON of the `tokenizers` library; it writes, and reads nothing."""
    made = Tokenizer(models.WordLevel(dict(tokenizer.get_vocab()), unk_token=tokenizer.unk_token))
    made.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return str(made.to_str())
