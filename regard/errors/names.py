"""Errors of unknown names, with the known one that was probably meant."""

import difflib
from collections.abc import Collection, Iterable, Mapping


def check_names(
    kind: str,
    given: Iterable[str],
    known: Collection[str],
    error: type[Exception],
    synonyms: Mapping[str, str] | None = None,
) -> None:
    """Raises the error if a given name is unknown.

    Args:
        kind: what the names are, such as "option".
        synonyms: known names by what others call them.
    """
    for name in given:
        if name not in known:
            meant = (synonyms or {}).get(name)
            advice = f"did you mean {meant!r}?" if meant in known else suggestion(name, known)
            raise error(f"there is no {kind} {name!r}; {advice}")


def suggestion(name: str, known: Collection[str]) -> str:
    """Returns "did you mean ...?" for a name that is close to a known one, else the list of those that there are."""
    close = closest(str(name), known)
    return f"did you mean {close!r}?" if close else f"there are {', '.join(known)}"


def closest(name: str, known: Collection[str]) -> str | None:
    """Returns the known name that is close to this one; None if there is none."""
    close = difflib.get_close_matches(name[:100], known, n=1)
    return close[0] if close else None
