"""The view's script: its ES modules joined into one, each once and after the modules that it imports.

The modules follow a few rules, so that joining them only removes lines: imports and exports are named and at the top
level, imports name a file in the same folder ("./x.js"), no two modules declare the same name, and characters beyond
ASCII are in strings, patterns and comments only. Tests check the rules, and run the joined script in a browser. ADR 9
says why there is no bundler.
"""

import functools
import re
from collections.abc import Iterator
from importlib import resources

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) )", re.MULTILINE)
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_COMMENT = re.compile(r"^ */\*\*(?:(?!\*/).)*\*/\n|/\*\*(?:(?!\*/).)*\*/ ?", re.MULTILINE | re.DOTALL)


def read_asset(name: str) -> str:
    """The text of a file of the view."""
    return resources.files(__package__).joinpath("view", name).read_text(encoding="utf-8")


@functools.cache
def joined_script(entry: str = "main.js") -> str:
    """A module and everything that it imports as one script, without doc comments, in ASCII."""
    joined = "".join(_without_imports(name) for name in dict.fromkeys(_import_order(entry)))
    return _BEYOND_ASCII.sub(lambda letter: f"\\u{ord(letter[0]):04x}", joined)


def _import_order(name: str) -> Iterator[str]:
    """Yields the modules that one imports, itself last; some more than once."""
    for imported in _IMPORT.findall(read_asset(name)):
        yield from _import_order(imported)
    yield name


def _without_imports(name: str) -> str:
    source = _EXPORT.sub("", _IMPORT.sub("", read_asset(name)))
    return f"// {name}\n" + _COMMENT.sub("", source).strip() + "\n"
