"""Measures the page in a browser: the time until a map is visible, and response times."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.spread import Spread
from benchmarks.html.synthetic import large_result
from regard.html import save

HERE = Path(__file__).parent
EMPTY = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Empty</title><p>Nothing</p></html>'


class BrowserMissing(Exception):
    """Chromium or Node is not installed."""


class Opening(BaseModel):
    """Milliseconds for opening and using a page, over several openings, each in a new tab.

    Attributes:
        size_bytes: size of the file.
        opened: from the start of the navigation until the first map is visible and the page answers input.
        read: until the browser has read the whole file.
        work: processor time of the page's main thread until the file is read.
        empty: `opened` of a page with one word, in the same rounds.
        empty_work: `work` of that page.
        first_kind, kind: time to show another kind of map, the first time and later.
        head, hover: time to show another head, and to highlight a word under the pointer.
    """

    model_config = ConfigDict(frozen=True)

    browser: str
    size_bytes: int
    opened: Spread
    read: Spread
    work: Spread
    empty: Spread
    empty_work: Spread
    first_kind: Spread
    kind: Spread
    head: Spread
    hover: Spread


def measure_opening(folder: Path, rounds: int) -> Opening:
    """Opens the page and an empty page alternately.

    Raises:
        BrowserMissing: Chromium or Node is not installed.
    """
    page, empty = folder / "large.html", folder / "empty.html"
    save(large_result(), page)
    empty.write_text(EMPTY, encoding="utf-8")
    version, measured = _run([page, empty], rounds)
    own, others = measured[page.as_uri()], measured[empty.as_uri()]

    def spread(measurements: list[dict[str, float]], name: str) -> Spread:
        return Spread.of([each[name] for each in measurements], digits=1)

    return Opening(
        browser=f"Chromium {version}",
        size_bytes=page.stat().st_size,
        opened=spread(own, "opened_ms"),
        read=spread(own, "read_ms"),
        work=spread(own, "work_ms"),
        empty=spread(others, "opened_ms"),
        empty_work=spread(others, "work_ms"),
        first_kind=spread(own, "first_kind_ms"),
        kind=spread(own, "kind_ms"),
        head=spread(own, "head_ms"),
        hover=spread(own, "hover_ms"),
    )


def _run(pages: list[Path], rounds: int) -> tuple[str, dict[str, list[dict[str, float]]]]:
    """Returns the browser's version and the times of each opening, by the page's URL."""
    missing = list(_missing())
    if missing:
        raise BrowserMissing(f"there is no {', '.join(missing)}")
    command = [str(shutil.which("node")), str(HERE / "opening.mjs"), str(rounds), *(page.as_uri() for page in pages)]
    environment = os.environ | {"CHROMIUM": str(_chromium())}
    ran = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    measured: dict[str, list[dict[str, float]]] = {page.as_uri(): [] for page in pages}
    for line in ran.stdout.splitlines():
        times = json.loads(line)
        measured[times.pop("url")].append(times)
    return ran.stderr.split()[-1], measured


def _missing() -> Iterator[str]:
    if _chromium() is None:
        yield "chromium"
    if shutil.which("node") is None:
        yield "node"


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
