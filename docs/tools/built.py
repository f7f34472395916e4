"""What is wrong with a built site: links to nothing, and anything that a page loads from another host."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {"audio", "embed", "iframe", "img", "link", "script", "source", "video"}  # an <a> is followed, not loaded
_ADDRESSES = ("href", "src", "srcset")


class _Page(HTMLParser):
    """Collects the addresses of a page, each with whether the page loads it."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        is_loaded = tag in _LOADED and found.get("rel") != "canonical"
        self.addresses += [(value, is_loaded) for name in _ADDRESSES if (value := found.get(name))]


def problems(site: Path) -> list[str]:
    """One line for each: the page, the address, and what is wrong with it."""
    return [line for page in sorted(site.rglob("*.html")) for line in _page_problems(page, site)]


def _page_problems(page: Path, site: Path) -> Iterator[str]:
    reader = _Page()
    reader.feed(page.read_text(encoding="utf-8"))
    name = page.relative_to(site).as_posix()
    for address, is_loaded in reader.addresses:
        parts = urlsplit(address)
        if parts.netloc and is_loaded:
            yield f"{name}: loads {address}"
        elif not parts.scheme and not parts.netloc and not _exists(parts.path, page, site):
            yield f"{name}: no file for {address}"


def _exists(path: str, page: Path, site: Path) -> bool:
    if not path:
        return True
    # 404.html is served at any address, so its links begin at the site's root.
    target = site / path.lstrip("/") if path.startswith("/") else page.parent / path
    target = Path(unquote(str(target)))
    return (target / "index.html").is_file() if target.is_dir() else target.is_file()
