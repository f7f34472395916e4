"""Matches BCP 47 codes: "DE", "de-AT" and "deu_Latn" are a model's "de"."""

from collections.abc import Sequence
from functools import lru_cache

import langcodes

MAX_CODE_LENGTH = 64
MAX_DISTANCE = 9
"""The largest distance of two codes that match, by CLDR's table: other regions, and languages that share
readers (no, nb). Related languages (24 for uk and ru) and other scripts (15 and more) do not match."""


def match(code: str, offered: Sequence[str]) -> str | None:
    """Returns the offered code that a code stands for; None if there is none.

    Args:
        code: a BCP 47 code in any case, with "-" or "_"; or any name that is offered.
        offered: the codes of a model, in its own spelling.
    """
    return code if code in offered else _match(code, tuple(offered))


@lru_cache(maxsize=4096)
def _match(code: str, offered: tuple[str, ...]) -> str | None:
    folded = code.casefold()
    same = next((each for each in offered if each.casefold() == folded), None)
    if same is not None or not is_language(code):
        return same
    # CLDR's table wants codes as BCP 47 writes them; models write "de_DE" and "deu_Latn".
    candidates = {langcodes.standardize_tag(each): each for each in offered if is_language(each)}
    found, _ = langcodes.closest_match(langcodes.standardize_tag(code), list(candidates), max_distance=MAX_DISTANCE)
    return candidates.get(found)


def is_language(name: str) -> bool:
    """Whether a model's name of a language is a code. Models of other alphabets have names of their own."""
    return len(name) <= MAX_CODE_LENGTH and langcodes.tag_is_valid(name)
