"""What MkDocs calls while it builds the site (`hooks` in mkdocs.yml).

The site mirrors the repository: a page's address is its file's path, so that a link works on the site and on GitHub
alike, also one that leaves `docs/`.
"""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from docs.tools.built import problems
from docs.tools.made_pages import made_pages
from docs.tools.notebook_pages import notebook_page
from docs.tools.repository import LANGUAGES, ROOT, as_page, linked_files

NOTEBOOK = ".ipynb"
DECISIONS = ROOT / "docs" / "adr"
STYLE = ROOT / "docs" / "site.css"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the decisions to the navigation, in order."""
    pages = [path.relative_to(ROOT).as_posix() for path in sorted(DECISIONS.glob("*.md"))]
    config.nav.append({"Decisions": pages})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replaces the files below `docs_dir` by those of the repository, and adds the pages that are made from code."""
    of_the_theme = [file for file in files if file.src_dir != config.docs_dir]
    made = [File.generated(config, name, content=page) for name, page in made_pages().items()]
    return Files([*of_the_theme, *(_file(path, config) for path in (*linked_files(), STYLE)), *made])


def _file(path: Path, config: MkDocsConfig) -> File:
    name = path.relative_to(ROOT).as_posix()
    if path.suffix not in (*LANGUAGES, NOTEBOOK):
        return File(name, str(ROOT), config.site_dir, config.use_directory_urls)
    content = notebook_page(path) if path.suffix == NOTEBOOK else as_page(path)
    file = File.generated(config, name, content=content)
    file.is_documentation_page = lambda: True  # MkDocs takes only Markdown for a page
    file.dest_uri = f"{name}.html"
    return file


def on_post_build(config: MkDocsConfig) -> None:
    """Fails the build if a page has a broken link or loads something from another host."""
    if found := problems(Path(config.site_dir)):
        raise PluginError("\n".join(found))
