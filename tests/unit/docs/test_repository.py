"""Which files the documentation site has, and that links in the repository's own pages lead to files."""

import re
from pathlib import Path

from docs.tools.repository import ROOT, as_page, linked_files, links

TEXT = """[a](a.md) and ![b](b.svg "title") and [c](../c.py#part) and [here](#here) and `[d](d.md)` <https://e.example/>
[f](https://f.example/f.md) <img src="g.svg"><source srcset="h.svg">

```md
[i](i.md)
```
"""


def test_links() -> None:
    assert list(links(TEXT)) == ["a.md", "b.svg", "../c.py", "g.svg", "h.svg"]


def test_files_are_found_through_pages(tmp_path: Path) -> None:
    for name, text in {
        "a.md": "[b](b/c.md) [gone](gone.md) [out](../out.md)",
        "b/c.md": "[d](../d.py) [a](../a.md)",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "d.py").write_text("[e](e.md)")
    (tmp_path / "e.md").write_text("")
    found = linked_files((tmp_path / "a.md",), tmp_path)
    assert [file.relative_to(tmp_path).as_posix() for file in found] == ["a.md", "b/c.md", "d.py"]


def test_the_site_has_more_than_docs() -> None:
    found = {file.relative_to(ROOT).as_posix() for file in linked_files()}
    assert {
        "README.md",
        "CHANGELOG.md",
        "deploy/README.md",
        "benchmarks/README.md",
        "docs/adr/0001-record-decisions.md",
    } <= found


def test_every_link_leads_to_a_file() -> None:
    pages = [file for file in linked_files() if file.suffix == ".md"]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in links(page.read_text(encoding="utf-8"))
        if not (page.parent / target).is_file()
    ]
    assert broken == []


def test_every_path_in_code_exists() -> None:
    """Paths from the repository's root, such as `docs/tools`; the CHANGELOG tells of the past."""
    folders = "regard|service|models|export|tests|benchmarks|deploy|docs|proto"
    path = re.compile(rf"`((?:{folders})(?:/[\w.-]+)+)`")
    pages = [page for page in linked_files() if page.suffix == ".md" and page.name != "CHANGELOG.md"]
    missing = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in pages
        for name in path.findall(page.read_text(encoding="utf-8"))
        if not (ROOT / name).exists()
    ]
    assert missing == []


def test_a_source_file_as_page(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("print('```')\n")
    page = as_page(tmp_path / "a.py", tmp_path)
    assert page.endswith("# a.py\n\n````````python\nprint('```')\n````````\n")
