"""Errors of unknown names, with the known one that was probably meant."""

import difflib
from collections.abc import Collection, Iterable


def check_names(kind: str, given: Iterable[str], known: Collection[str], error: type[Exception]) -> None:
    """Raises the error if a given name is unknown.

    Args:
        kind: what the names are, such as "option".
    """
    for name in given:
        if name not in known:
            raise error(f"there is no {kind} {name!r}; {suggestion(name, known)}")


def suggestion(name: str, known: Collection[str]) -> str:
    """Returns "did you mean ...?" for a name that is close to a known one, else the list of those that there are."""
    close = difflib.get_close_matches(str(name), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
