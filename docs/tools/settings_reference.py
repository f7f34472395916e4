"""The reference of the server's settings, as Markdown, from the fields of its `Settings`; read, not imported."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from docs.tools.tables import table

BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
INTRODUCTION = (
    "Later ones win: defaults, the TOML file (`regard serve --config FILE`), the environment, flags. "
    "The setting `max_queue` is `max_queue` in the file, `REGARD_MAX_QUEUE` in the environment and `--max-queue` as a "
    "flag. In the environment and in flags a list is `a,b` and a table `key=value,key=value`. "
    "An unknown setting is an error, and all errors are reported at once."
)


@dataclass(frozen=True)
class Setting:
    """One setting; its texts are Markdown."""

    name: str
    type: str
    default: str
    description: str


def settings(source: str) -> Iterator[Setting]:
    """The fields of the class `Settings` in a module's source, in order."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == "Settings":
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield _setting(field.target.id, field)


def _setting(name: str, field: ast.AnnAssign) -> Setting:
    if not isinstance(field.value, ast.Call):
        raise ValueError(f"{name} has no Field(...)")
    given = {each.arg: each.value for each in field.value.keywords if each.arg is not None}
    bounds = [f"{words} {ast.unparse(given[key])}" for key, words in BOUNDS.items() if key in given]
    description = ast.literal_eval(given["description"])
    return Setting(
        name,
        _type(field.annotation),
        f"`{ast.unparse(given['default'])}`" if "default" in given else "",
        f"{description} ({', '.join(bounds)})" if bounds else description,
    )


def _type(annotation: ast.expr) -> str:
    """The values of a Literal, or else the type."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Literal":
        return ", ".join(f"`{value}`" for value in ast.literal_eval(annotation.slice))
    return f"`{ast.unparse(annotation)}`"


def reference(source: str, title: str) -> str:
    """A page with one table of all settings."""
    rows = [[f"`{each.name}`", each.type, each.default, each.description] for each in settings(source)]
    return f"# {title}\n\n{INTRODUCTION}\n\n{table(('setting', 'type', 'default', ''), rows)}\n"
