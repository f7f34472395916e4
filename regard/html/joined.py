"""The view's script as one file: its ES modules joined, each once, those it imports before it.

The modules keep to a few rules, so that joining is taking out lines: imports and exports are named, at the top level,
imports name a file beside it ("./x.js"), no two modules declare the same name, and what is not ASCII stands in strings,
patterns and comments only. Tests hold them to that, and a browser runs what comes out. Why there is no
bundler: docs/adr.
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
    """A file of the view, as it lies beside this one."""
    return resources.files(__package__).joinpath("view", name).read_text(encoding="utf-8")


@functools.cache
def joined_script(entry: str = "main.js") -> str:
    """The module and all that it imports as one module, without documentation, in ASCII."""
    joined = "".join(_stripped(name) for name in dict.fromkeys(_in_order(entry)))
    return _BEYOND_ASCII.sub(lambda letter: f"\\u{ord(letter[0]):04x}", joined)


def _in_order(name: str) -> Iterator[str]:
    """The modules below one, and itself last; some more than once."""
    for imported in _IMPORT.findall(read_asset(name)):
        yield from _in_order(imported)
    yield name


def _stripped(name: str) -> str:
    source = _EXPORT.sub("", _IMPORT.sub("", read_asset(name)))
    return f"// {name}\n" + _COMMENT.sub("", source).strip() + "\n"
