"""Which fonts draw a text, whatever its script.

matplotlib's own DejaVu Sans has Latin, Greek, Cyrillic, Arabic, Hebrew and more. For what it lacks, the fonts of the
system are searched; what none of them has is drawn with Last Resort, which comes with matplotlib and shows a box with a
sign of the script. So nothing is missing without a trace, and nothing warns. Text is shaped and ordered, right to left
too, by matplotlib's layout engine.
"""

import functools
import unicodedata
from collections.abc import Iterable
from contextlib import suppress

from matplotlib import font_manager
from matplotlib.font_manager import FontEntry
from matplotlib.ft2font import FT2Font

BASE = "DejaVu Sans"
LAST_RESORT = "Last Resort High-Efficiency"

# Fonts for reading, before whatever else a system has for a script.
_PREFERRED = ("Noto Sans", "Source Han Sans", "PingFang", "Hiragino", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic")


def families_for(texts: Iterable[str]) -> list[str]:
    """The font families that draw these texts, in the order in which they are tried for each character."""
    characters = {character for text in texts for character in text if not _is_invisible(character)}
    missing = frozenset(map(ord, characters)) - _covered(font_manager.findfont(BASE), 0)
    return [BASE, *_system_families(missing), LAST_RESORT] if missing else [BASE]


@functools.lru_cache(maxsize=64)
def _system_families(missing: frozenset[int]) -> tuple[str, ...]:
    """Fonts of the system that have these characters, or some of them."""
    found, lacking = _families_among(_candidates(), missing)
    if lacking:
        # matplotlib keeps a list of the fonts that it once saw; others may have been installed since.
        more, _ = _families_among(_newcomers(), lacking)
        found += more
    return tuple(found)


def _families_among(entries: Iterable[FontEntry], missing: frozenset[int]) -> tuple[list[str], frozenset[int]]:
    """Families, in their order, that have some of the characters; and the characters that none has."""
    found = []
    for entry in entries:
        covered = missing & _covered(entry.fname, entry.index)
        if covered:
            found.append(entry.name)
            missing -= covered
        if not missing:
            break
    return found, missing


@functools.cache
def _newcomers() -> tuple[FontEntry, ...]:
    """Fonts of the system that matplotlib did not know until now."""
    manager = font_manager.fontManager
    known = {entry.fname for entry in manager.ttflist}
    num_known = len(manager.ttflist)
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        with suppress(OSError, RuntimeError, ValueError):  # a file that is no font, or not one that can be read
            manager.addfont(path)
    return _readable(manager.ttflist[num_known:])


@functools.cache
def _candidates() -> tuple[FontEntry, ...]:
    return _readable(font_manager.fontManager.ttflist)


def _readable(entries: Iterable[FontEntry]) -> tuple[FontEntry, ...]:
    """One upright face of each family, those for reading first."""
    upright = [
        entry
        for entry in entries
        if entry.style == "normal" and entry.weight == 400 and entry.name not in (BASE, LAST_RESORT)
    ]
    upright.sort(key=lambda entry: (not entry.name.startswith(_PREFERRED), entry.name))
    by_name: dict[str, FontEntry] = {}
    for entry in upright:
        by_name.setdefault(entry.name, entry)
    return tuple(by_name.values())


@functools.cache
def _covered(path: str, index: int) -> frozenset[int]:
    """The characters that a font can draw; none of one that cannot be read, or consists of pictures only."""
    try:
        font = FT2Font(path, face_index=index)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError):
        return frozenset()


def _is_invisible(character: str) -> bool:
    """Spaces, joiners and selectors, which the layout engine deals with."""
    return unicodedata.category(character) in ("Zs", "Cf", "Mn", "Cc")
