"""A kind of checkpoint that can be exported: how a small one is made, and what it should answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from regard_export.checkpoints.source_model import LoadOptions
from regard_service.bundle import Bundle, Precision

import regard
from regard.arrays import Float32Array

Raw = str | bytes
"""A text, or a picture's file."""

MAX_NEW_TOKENS = 8


@dataclass(frozen=True)
class Answer:
    """What an original makes of an input.

    Attributes:
        source: the encoder's ids; None of a picture.
        tokens: from behind the start token on.
        score: with beams.
        text: None where the original writes none.
        attention: float32 [layers, heads, target, source], or what the original `tells` of that.
    """

    source: list[int] | None
    tokens: list[int]
    score: float | None
    text: str | None
    attention: Float32Array


class Original(Protocol):
    """A checkpoint as its own users run it.

    Attributes:
        name: how the report of an export begins to name it.
        inputs: what it is asked.
    """

    name: str
    inputs: Sequence[Raw]

    def answer(self, raw: Raw, num_beams: int | None) -> Answer:
        """The best of at most MAX_NEW_TOKENS tokens; without `num_beams`, by the checkpoint's own settings."""

    def tells(self, attention: Float32Array) -> Float32Array:
        """What the original would tell of [layers, heads, target, source]."""


@dataclass(frozen=True)
class Family:
    """One small checkpoint, of which there may be several in a row of the table in docs/exporting.md.

    Attributes:
        name: of the bundle.
        row: the family's name in the table.
        family: as the manifest has it and, in `transformers` and of our own nets, config.json.
        write: makes the checkpoint, in a folder that is not there yet; returns what the command is given.
        original: opens it, beside its bundle.
        wanted: what the command is told.
        target: language or style that is asked for, and `language` that of the texts.
        has_settings: whether its own settings are more than the plain ones.
        refused: precisions that are not offered, with what the command says.
    """

    name: str
    row: str
    family: str
    write: Callable[[Path], Path]
    original: Callable[[Path, Bundle], Original]
    wanted: LoadOptions = field(default_factory=LoadOptions)
    language: str = ""
    target: str = ""
    has_settings: bool = False
    refused: Mapping[Precision, str] = field(default_factory=dict)

    def ask(self, client: regard.Client, task: str, raw: Raw, **options: Any) -> regard.Result:
        """What a server answers, with cross-attention."""
        options = {"model": self.name, "attention": ["cross"], "max_new_tokens": MAX_NEW_TOKENS, **options}
        if isinstance(raw, bytes):
            return client.caption(raw, **options)
        if task == "summarization":
            return client.summarize(raw, self.target or None, truncation="truncate", **options)
        source = self.language or None
        return client.translate(raw, self.target, source_language=source, truncation="truncate", **options)


def ids_of(result: regard.Result, vocab_size: int) -> list[int]:
    """The best output's tokens as the decoder numbers them, copies too."""
    return [token.id if token.copied_from is None else vocab_size + token.copied_from for token in result.best.tokens]


def cross_attention(result: regard.Result) -> Float32Array:
    """float32 [layers, heads, target, source] of the best output."""
    found = result.best.find_map("cross")
    assert found is not None
    return np.asarray(found.values)
