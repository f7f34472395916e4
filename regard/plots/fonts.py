"""Which fonts draw a text, whatever its script.

matplotlib's own DejaVu Sans has Latin, Greek, Cyrillic, Arabic, Hebrew and more. For what it lacks, the fonts of the
system are searched; what none of them has is drawn with Last Resort, which comes with matplotlib and shows a box with a
sign of the script. So nothing is missing without a trace, and nothing warns. Text is shaped and ordered, right to left
too, by matplotlib's layout engine.
"""

import functools
import unicodedata
from collections.abc import Iterable

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
    found = []
    for entry in _candidates():
        covered = missing & _covered(entry.fname, entry.index)
        if covered:
            found.append(entry.name)
            missing -= covered
        if not missing:
            break
    return tuple(found)


@functools.cache
def _candidates() -> tuple[FontEntry, ...]:
    upright = [
        entry
        for entry in font_manager.fontManager.ttflist
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
