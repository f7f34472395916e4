"""The order of versions."""

import re

VersionKey = tuple[list[tuple[int, int, str]], str]


def version_key(version: str) -> VersionKey:
    """Returns a sort key that orders versions as people do: 10 after 9, 2-rc1 before 2, 2 before 2.1."""
    word, end, number = range(3)
    parts = [
        (number, int(part), "") if part[0] in "0123456789" else (word, 0, part)
        for part in re.findall(r"[0-9]+|[^0-9.]+", version)
    ]
    return [*parts, (end, 0, "")], version
