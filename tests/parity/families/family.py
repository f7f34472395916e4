"""A kind of checkpoint: how a small one is written, and its original."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import regard
from regard.arrays import Float32Array
from regard_export.checkpoints.source_model import LoadOptions
from regard_service.bundle import Bundle, Precision

Raw = str | bytes
"""A text, or a picture's file."""

MAX_NEW_TOKENS = 8


@dataclass(frozen=True)
class Answer:
    """An original's result for an input.

    Attributes:
        source: the encoder's ids; None of a picture.
        tokens: after the start token.
        score: with beams.
        text: None if the original has no tokenizer.
        attention: float32 [layers, heads, target, source], or the original's `reduced` attention.
    """

    source: list[int] | None
    tokens: list[int]
    score: float | None
    text: str | None
    attention: Float32Array


class Original(Protocol):
    """A checkpoint as its users run it.

    Attributes:
        name: the beginning of its name in an export's report.
        inputs: raw inputs.
    """

    name: str
    inputs: Sequence[Raw]

    def answer(self, raw: Raw, num_beams: int | None) -> Answer:
        """The best of at most MAX_NEW_TOKENS tokens; without `num_beams`, by the checkpoint's own settings."""

    def reduced(self, attention: Float32Array) -> Float32Array:
        """The original's reduction of [layers, heads, target, source]."""


@dataclass(frozen=True)
class Family:
    """One small checkpoint, of which there may be several in a row of the table in docs/exporting.md.

    Attributes:
        name: of the bundle.
        row: the family's name in the table.
        family: the family in the manifest and, of `transformers` and the project's nets, in config.json.
        write: writes the checkpoint into a new folder; returns the command's SOURCE.
        original: opens the original, with the bundle beside it.
        load_options: of the command.
        language: of the texts.
        target: the target language or style.
        has_settings: whether its own settings differ from the defaults.
        refused: unavailable precisions, with the command's message.
    """

    name: str
    row: str
    family: str
    write: Callable[[Path], Path]
    original: Callable[[Path, Bundle], Original]
    load_options: LoadOptions = field(default_factory=LoadOptions)
    language: str = ""
    target: str = ""
    has_settings: bool = False
    refused: Mapping[Precision, str] = field(default_factory=dict)

    def ask(self, client: regard.Client, task: str, raw: Raw, **options: Any) -> regard.Result:
        """A server's result, with cross-attention."""
        options = {"model": self.name, "attention": ["cross"], "max_new_tokens": MAX_NEW_TOKENS, **options}
        if isinstance(raw, bytes):
            return client.caption(raw, **options)
        if task == "summarization":
            return client.summarize(raw, self.target or None, truncation="truncate", **options)
        source = self.language or None
        options |= {"truncation": "truncate", "raw": True}  # the original knows nothing of segments
        return client.translate(raw, self.target, source_language=source, **options)


def ids_of(result: regard.Result, vocab_size: int) -> list[int]:
    """The best output's tokens by the decoder's ids, copies too."""
    return [token.id if token.copied_from is None else vocab_size + token.copied_from for token in result.best.tokens]


def cross_attention(result: regard.Result) -> Float32Array:
    """float32 [layers, heads, target, source] of the best output."""
    found = result.best.find_map("cross")
    assert found is not None
    return np.asarray(found.values)
