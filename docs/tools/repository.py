"""The files that the documentation site is made of: the pages of `docs/`, and what they link to in the repository."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
START = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

# Files that the site shows as a page of highlighted text, by suffix: the language that the highlighter takes.
LANGUAGES = {".cfg": "text", ".json": "json", ".proto": "protobuf", ".py": "python", ".sh": "bash", ".toml": "toml",
             ".txt": "text", ".yaml": "yaml", ".yml": "yaml"}  # fmt: skip

_FENCE = re.compile(r"^(```+).*?^\1$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|\b(?:src|srcset|href)=\"([^\"]+)\"")


def links(text: str) -> Iterator[str]:
    """Targets of the links and images of a Markdown text that name a file, without their fragments."""
    for match in _LINK.finditer(_CODE.sub("", _FENCE.sub("", text))):
        target = (match[1] or match[2]).partition("#")[0]
        if target and not re.match(r"[a-z]+:", target):
            yield target


def linked_files(start: tuple[Path, ...] = START, root: Path = ROOT) -> list[Path]:
    """The files, and all files of the repository that they, or Markdown files that they link to, link to.

    A link to a folder, or to nothing, adds no file: MkDocs warns of it.
    """
    found = dict.fromkeys(start)
    waiting = list(start)
    while waiting:
        file = waiting.pop()
        for target in links(file.read_text(encoding="utf-8")):
            path = (file.parent / target).resolve()
            if path.is_file() and path.is_relative_to(root) and path not in found:
                found[path] = None
                waiting += [path] if path.suffix == ".md" else []
    return sorted(found)


def as_page(file: Path, root: Path = ROOT) -> str:
    """A source file as Markdown: its path as title, its text highlighted; the search does not read it."""
    fence = "`" * 8  # longer than any in our files
    language = LANGUAGES.get(file.suffix, "text")
    text = file.read_text(encoding="utf-8").rstrip()
    front = "---\nsearch: {exclude: true}\nhide: [toc]\n---\n"
    return f"{front}# {file.relative_to(root).as_posix()}\n\n{fence}{language}\n{text}\n{fence}\n"
