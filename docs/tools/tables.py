"""Tables in Markdown, for MkDocs: within code a `|` needs no escape there, and would show it."""

import re
from collections.abc import Callable, Iterable

_CODE = re.compile(r"(`[^`]*`)")


def table(titles: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table with a title for each column."""
    head = [*titles]
    cells = [[outside_code(str(cell), lambda text: text.replace("|", "\\|")) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *cells))


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """The text with a change made to everything that is not in backticks."""
    return "".join(part if part.startswith("`") else change(part) for part in _CODE.split(text))
