"""The checks of glossaries and of their terms. Each returns the description of a violation, or None."""

import re

MAX_TERMS = 1_000  # of a request
MAX_GLOSSARY_TERMS = 100_000
MAX_TERM_CHARACTERS = 200
MAX_GLOSSARIES = 16  # of a request

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def phrase_fault(phrase: str) -> str | None:
    """Checks a term's source or target, or another phrase."""
    if not phrase:
        return "is empty"
    if len(phrase) > MAX_TERM_CHARACTERS:
        return f"has {len(phrase)} characters; the limit is {MAX_TERM_CHARACTERS}"
    if phrase.strip() != phrase:
        return f"{phrase!r} has white space around it"
    if _CONTROL.search(phrase):
        return f"{phrase!r} has a control character, such as a tab or a line break"
    return None


def glossary_name_fault(name: str) -> str | None:
    """Checks the name of a glossary, which is that of its file too."""
    if _NAME.fullmatch(name):
        return None
    return 'must be 1 to 64 of A-Z, a-z, 0-9, "_" and "-", beginning with a letter or digit'
