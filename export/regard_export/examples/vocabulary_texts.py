"""Texts that a model can read: English sentences or, for a model of something else, texts of its own vocabulary.

A model of chemical formulas finds nothing but unknown characters in English. Calibrated and compared on them it would
be judged by what it never reads.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from regard_export.examples.sentences import EXAMPLE_SENTENCES
from regard_service.text.moses.tokenizer import MosesTokenizer
from regard_service.text.tokenizer import encoded

MAX_UNKNOWN = 0.2  # part of the English sentences' tokens
MIN_PIECES, MAX_PIECES = 4, 24  # of a text from the vocabulary
MAX_EXAMINED = 4096  # pieces of a large vocabulary, evenly spread
NUM_TRIES = 40  # to find a readable text, for each one


def readable_texts(tokenizer: Any) -> Sequence[str]:
    """The English examples, unless too many of their tokens are unknown; then as many texts of random pieces.

    Args:
        tokenizer: of a bundle.
    """
    unknown = _unknown_id(tokenizer)
    if unknown is None or _unknown_part(tokenizer, " ".join(EXAMPLE_SENTENCES), unknown) <= MAX_UNKNOWN:
        return EXAMPLE_SENTENCES
    pieces, rng = _text_pieces(tokenizer, unknown), np.random.default_rng(0)
    texts: list[str] = []
    for _ in range(len(EXAMPLE_SENTENCES) * NUM_TRIES if pieces else 0):
        text = str(tokenizer.decode(rng.choice(pieces, rng.integers(MIN_PIECES, MAX_PIECES + 1)).tolist())).strip()
        if text and _unknown_part(tokenizer, text, unknown) <= MAX_UNKNOWN:
            texts.append(text)
        if len(texts) == len(EXAMPLE_SENTENCES):
            return texts
    return texts or EXAMPLE_SENTENCES


def _unknown_id(tokenizer: Any) -> int | None:
    if isinstance(tokenizer, MosesTokenizer):
        return tokenizer.unknown_id
    model = json.loads(tokenizer.to_str())["model"]
    if model.get("byte_fallback"):
        return None
    if model["type"] == "Unigram":
        unknown: int | None = model["unk_id"]
        return unknown
    piece = model.get("unk_token")
    return None if piece is None else tokenizer.token_to_id(piece)


def _unknown_part(tokenizer: Any, text: str, unknown: int) -> float:
    ids = encoded(tokenizer, text).ids
    return ids.count(unknown) / len(ids) if ids else 1.0


def _text_pieces(tokenizer: Any, unknown: int) -> list[int]:
    """The pieces that are read again from their own spelling; special ones are not."""
    found = []
    ids = sorted(tokenizer.get_vocab().values())
    for i in ids[:: max(1, len(ids) // MAX_EXAMINED)]:
        text = str(tokenizer.decode([i])).strip()
        if text and i != unknown and i in encoded(tokenizer, text).ids:
            found.append(i)
    return found
