"""The languages of a model, as its manifest states them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from regard_export.errors import ExportError

LanguagePairs = Sequence[tuple[str, str]]
"""Source and target languages that the caller chose; empty if the caller chose none."""

_CODE = re.compile(r"[A-Za-z0-9]{1,8}([-_][A-Za-z0-9]{1,8}){0,4}")


def is_language_code(value: Any) -> bool:
    """Whether a value of a foreign file has the form of a code, as BCP 47 writes them, or with underscores."""
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


@dataclass(frozen=True)
class Languages:
    """Languages and their tokens; the mappings are those of `TextSource` and `Target`.

    Attributes:
        suffix_ids: the tokens behind every text, where the tokenizer does not say so itself.
        start_id: the decoder's first token, where the target language chooses it.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    prefix_ids: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    language_prefix_ids: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    language_suffix_ids: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    forced_first_ids: Mapping[str, int] = field(default_factory=dict)
    suffix_ids: tuple[int, ...] | None = None
    start_id: int | None = None


def named_languages(pairs: LanguagePairs) -> Languages:
    """The languages of a model that has no tokens for them.

    Raises:
        ExportError: the caller did not name them.
    """
    if not pairs:
        raise ExportError("this checkpoint does not name its languages; name them: --languages SOURCE-TARGET")
    return Languages(*languages_by_side(pairs))


def languages_by_side(pairs: LanguagePairs) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All source languages and all target languages, each once, in the order of the pairs."""
    sources, targets = zip(*pairs, strict=True)
    return tuple(dict.fromkeys(sources)), tuple(dict.fromkeys(targets))
