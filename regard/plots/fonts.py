"""Fonts for text of any script.

DejaVu Sans, which comes with matplotlib, covers Latin, Greek, Cyrillic, Arabic, Hebrew and more. For other characters
the system's fonts are searched. A character that no font has is drawn with Last Resort, which comes with matplotlib
too and shows a box with a sign of the script: no character disappears, and matplotlib does not warn. Its layout engine
shapes and orders the text, right to left too.
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

# Text fonts, before decorative ones of the same script.
_PREFERRED_FAMILIES = (
    "Noto Sans",
    "Source Han Sans",
    "PingFang",
    "Hiragino",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
)


def families_for(texts: Iterable[str]) -> list[str]:
    """The font families for these texts, in the order in which matplotlib tries them for each character."""
    characters = {character for text in texts for character in text if not _is_invisible(character)}
    missing = frozenset(map(ord, characters)) - _covered(font_manager.findfont(BASE), 0)
    return [BASE, *_system_families(missing), LAST_RESORT] if missing else [BASE]


@functools.lru_cache(maxsize=64)
def _system_families(missing: frozenset[int]) -> tuple[str, ...]:
    """Families of the system that cover these characters, or some of them."""
    families, uncovered = _covering_families(_listed_fonts(), missing)
    if uncovered:
        # matplotlib caches a list of fonts; others may have been installed since.
        more, _ = _covering_families(_unlisted_fonts(), uncovered)
        families += more
    return tuple(families)


def _covering_families(entries: Iterable[FontEntry], missing: frozenset[int]) -> tuple[list[str], frozenset[int]]:
    """The families, in their order, that cover some of the characters; and the characters that none covers."""
    families = []
    for entry in entries:
        covered = missing & _covered(entry.fname, entry.index)
        if covered:
            families.append(entry.name)
            missing -= covered
        if not missing:
            break
    return families, missing


@functools.cache
def _unlisted_fonts() -> tuple[FontEntry, ...]:
    """Fonts of the system that matplotlib's list does not have yet; adds them to it."""
    manager = font_manager.fontManager
    known = {entry.fname for entry in manager.ttflist}
    num_known = len(manager.ttflist)
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        with suppress(OSError, RuntimeError, ValueError):  # not a font, or not a readable one
            manager.addfont(path)
    return _text_faces(manager.ttflist[num_known:])


@functools.cache
def _listed_fonts() -> tuple[FontEntry, ...]:
    return _text_faces(font_manager.fontManager.ttflist)


def _text_faces(entries: Iterable[FontEntry]) -> tuple[FontEntry, ...]:
    """The upright, regular face of each family, preferred families first."""
    upright = [
        entry
        for entry in entries
        if entry.style == "normal" and entry.weight == 400 and entry.name not in (BASE, LAST_RESORT)
    ]
    upright.sort(key=lambda entry: (not entry.name.startswith(_PREFERRED_FAMILIES), entry.name))
    by_name: dict[str, FontEntry] = {}
    for entry in upright:
        by_name.setdefault(entry.name, entry)
    return tuple(by_name.values())


@functools.cache
def _covered(path: str, index: int) -> frozenset[int]:
    """The code points that a font covers; none for a font that cannot be read or has bitmaps only."""
    try:
        font = FT2Font(path, face_index=index)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError):
        return frozenset()


def _is_invisible(character: str) -> bool:
    """Whether the layout engine handles the character without a glyph: spaces, joiners and selectors."""
    return unicodedata.category(character) in ("Zs", "Cf", "Mn", "Cc")
