"""Small Argos packages of subword-nmt's pieces, with pairs that its own code learns."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from regard_export.examples.sentences import EXAMPLE_SENTENCES
from tests.unit.export.ctranslate2_checkpoints import SPECIAL, write_ctranslate2

moses: Any = pytest.importorskip("sacremoses")
apply_bpe: Any = pytest.importorskip("subword_nmt.apply_bpe")
learn_bpe: Any = pytest.importorskip("subword_nmt.learn_bpe")

NUM_PAIRS = 150
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?-&#;éü"
WHOLE = ("&apos;", "&apos;s", "&quot;", "(", ")", "$", "@-@")


@cache
def codes() -> str:
    """A `bpe.model` of the example sentences."""
    learned = io.StringIO()
    learn_bpe.learn_bpe([" ".join(words(text)) for text in EXAMPLE_SENTENCES], learned, NUM_PAIRS)
    return learned.getvalue()


def words(text: str, language: str = "en") -> list[str]:
    """The tokens of a text, as Argos Translate reads it."""
    return list(moses.MosesTokenizer(language).tokenize(moses.MosesPunctNormalizer(language).normalize(text)))


def subwords(text: str, language: str = "en") -> list[str]:
    """The pieces of a text, as Argos Translate reads it."""
    return list(apply_bpe.BPE(io.StringIO(codes())).segment_tokens(words(text, language)))


def vocabulary() -> list[str]:
    """The pieces of the example sentences, of single letters, and marks."""
    found = {piece for text in EXAMPLE_SENTENCES for piece in subwords(text)}
    return [*SPECIAL, *sorted({*found, *LETTERS, *(f"{letter}@@" for letter in LETTERS), *WHOLE})]


def write_subword_model(folder: Path, **options: Any) -> Path:
    """Saves a model of random weights, and `bpe.model` beside its files, where `write_package` expects it."""
    write_ctranslate2(folder, vocabulary=vocabulary(), **options)
    (folder / "bpe.model").write_text(codes(), encoding="utf-8")
    return folder
