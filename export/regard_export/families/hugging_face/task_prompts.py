"""The token with which the decoder of a Donut starts (Kim et al. 2022): it names the task, and so the output's form."""

import re
from collections.abc import Mapping
from typing import Any

from regard_export.errors import ExportError
from regard_export.families.hugging_face.added_tokens import STRUCTURAL_TOKENS

TASK_TOKEN = re.compile(r"<s_([^/<>]+)>")


def prompt_id(tokenizer: Any, prefixes: Mapping[str, str]) -> int | None:
    """The token that the caller's `--prefix` spells; None without one.

    Raises:
        ExportError: it is for one of several languages, or is not one token.
    """
    if not prefixes:
        return None
    others = sorted(prefixes.keys() - {""})
    if others:
        raise ExportError(f"--prefix names {', '.join(others)}; this model has no target languages: write =TEXT")
    ids = tokenizer(prefixes[""].strip(), add_special_tokens=False).input_ids
    if len(ids) != 1:
        raise ExportError(f"--prefix {prefixes['']!r} is {len(ids)} tokens; the decoder starts with one")
    return int(ids[0])


def task_id(tokenizer: Any, settings: Mapping[str, Any]) -> int | None:
    """The token of the model's only task; None if the settings name a start, or no token names a task.

    Fields have a token at either end, `<s_total>` and `</s_total>`; tasks have only the first.

    Raises:
        ExportError: the model has several tasks; names them.
    """
    if settings.get("decoder_start_token_id") not in (None, tokenizer.bos_token_id):
        return None
    known = tokenizer.get_vocab()
    tasks = [token for token in known if (found := TASK_TOKEN.fullmatch(token)) and f"</s_{found[1]}>" not in known]
    if len(tasks) > 1:
        named = ", ".join(sorted(tasks))
        raise ExportError(f"the checkpoint does not say which task it has, {named}: choose it, --prefix =TOKEN")
    return int(known[tasks[0]]) if tasks else None


def structural_ids(tokenizer: Any) -> set[int]:
    """The tokens that are no part of an output. Those that frame its fields are special, and part of it."""
    found = (getattr(tokenizer, f"{name}_token_id", None) for name in (*STRUCTURAL_TOKENS, "mask"))
    return {i for i in found if i is not None}
