"""What was probably meant by an unknown name."""

import difflib
from collections.abc import Collection

# Longer names are no slips, and comparing takes the product of the lengths.
MAX_NAME_CHARACTERS = 64


def closest(name: str, known: Collection[str]) -> str | None:
    """Returns the known name that is close to this one, whatever its case; None if there is none."""
    if len(name) > MAX_NAME_CHARACTERS:
        return None
    by_lower_case = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return by_lower_case[close[0]] if close else None
