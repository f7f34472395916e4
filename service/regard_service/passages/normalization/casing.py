"""Capitals: which texts are all in capitals, or in the case of a title, and their sentence's case."""

import re
import unicodedata
from collections.abc import Callable, Sequence

from regard_service.domain.results import Span

_WORD = re.compile(r"[^\W\d_]++(?:['’][^\W\d_]++)*+(?![\u0300-\u036f])")
_CAPITALS = re.compile(r"[^\W\d_a-zß-öø-ÿ]{2}")
_DOTTED = re.compile(r"(?<!\w)(?:[^\W\d_]\.){2,}")
_ACRONYMS = frozenset(
    "ADAC ADN AI AIDS AM API ARD ASAP ATM BBC BMW BRD CD CDU CEO CIA CNN COVID CPU CSU CV DDR DIY DNA DVD EEUU EU"
    " EUR EWG FAQ FBI FDP FIFA FYI GDP GMT GPS GPU HIV HR HTML HTTP HTTPS IBM ID IP IQ ISO IT JPEG JSON LED LGBT MBA"
    " MP MTV NASA NATO NBA NGO NHL NYC OECD OK OMS ONU OPEC OTAN PC PDF PDG PHD PIN PM PNG PR PS PVC RAM RGB RNA ROM"
    " RSVP SIM SMS SNCF SOS SPD SQL SUV TGV TV UE UEFA UFO UI UK UN UNESCO UNICEF UNO URL US USA USB USD USSR UTC"
    " VAT VIP VPN WC WHO WIFI WTO WWF WWII XML ZDF ZIP".split()
)
_AMBIGUOUS = frozenset("AIDS AM ARD ID IT PIN PM PR PS RAM ROM SIM UE UN US WHO".split())
"""Acronyms that are words, too: in a text in capitals they are taken for words."""
_CAPITALIZED = frozenset(
    "africa america american april asia august berlin british chinese christmas december easter england english"
    " europe european february france french friday german germany god italian italy january japanese july june"
    " london monday november october paris portugal portuguese russian saturday september spain spanish sunday"
    " thursday tuesday wednesday".split()
)
_SMALL = frozenset(
    "a an and are as at be but by can do does for from how if in into is it my not of on or our over per than that"
    " the this to up via vs we what when where which who why will with without you your".split()
)
_TURKIC = ("tr", "az")


def is_capital(text: str, kept: Sequence[Span]) -> bool:
    """Whether all words of a text are in capitals, and one of them is no acronym.

    Args:
        kept: ranges that do not count; in order.
    """
    if not _CAPITALS.search(text):
        return False
    words = _words(text, kept)
    letters = [c for _, word in words for c in word if c.isupper() or c.islower() or c.istitle()]
    if not letters or not all(c.isupper() for c in letters):
        return False
    full = [word for _, word in words if len(word) > 1]
    return any(not _is_acronym(word, is_alone=len(words) == 1) for word in full)


def is_title(text: str, kept: Sequence[Span], language: str) -> bool:
    """Whether an English text is in the case of a title: "How To Install The Program"."""
    if language != "en" or text.rstrip()[-1:] in ".!?":
        return False
    words = [word for _, word in _words(text, kept)]
    if len(words) < 3:
        return False
    are_capital = all(word[0].isupper() or word in _SMALL for word in words)
    capital = [word for word in words if word[0].isupper() and word[1:].islower()]
    has_common = sum(word.lower() in _SMALL for word in words)
    return are_capital and len(capital) >= 3 and words[0][0].isupper() and has_common > 0


def capital_runs(text: str, kept: Sequence[Span], rank: Callable[[str], tuple[int, ...]] | None) -> list[Span]:
    """Returns the ranges of a text that are in capitals for emphasis: "PLEASE READ THIS: ...", but not "NATO".

    These are two words in a row or more that are no acronyms, or one that the vocabulary holds as a whole in small
    letters only.
    """
    if not _CAPITALS.search(text):
        return []
    runs: list[list[tuple[Span, str]]] = []
    for span, word in _words(text, kept):
        if not word.isupper() or (len(word) > 1 and _is_acronym(word, is_alone=False)):
            continue
        if runs and text[runs[-1][-1][0].end : span.start] in (" ", ", "):
            runs[-1].append((span, word))
        else:
            runs.append([(span, word)])
    return [Span(run[0][0].start, run[-1][0].end) for run in runs if _is_emphasis([word for _, word in run], rank)]


def _is_emphasis(words: Sequence[str], rank: Callable[[str], tuple[int, ...]] | None) -> bool:
    full = [word for word in words if len(word) > 1]
    if len(full) > 1:
        return sum(map(len, full)) > 5
    return len(full) == 1 == len(words) and rank is not None and rank(full[0].lower())[0] == 1 and rank(full[0])[0] > 2


def lower_case(
    text: str,
    kept: Sequence[Span],
    language: str,
    rank: Callable[[str], tuple[int, ...]] | None,
    ranges: Sequence[Span] | None = None,
) -> list[tuple[Span, str]]:
    """Returns the words of a text in capitals, or in the case of a title, as a sentence has them.

    The first word begins with a capital. A word stays if it is an acronym, and keeps its first capital if it always
    has one, or if it is more common so in the model's vocabulary. Other words than those in `ranges` stay; None: all
    words count.
    """
    words = _words(text, kept)
    first = words[0][0].start if words else 0
    changes = []
    for span, word in words:
        lowered = _lower(word, language)
        is_chosen = ranges is None or any(span.start < other.end and other.start < span.end for other in ranges)
        if not is_chosen or (word.isupper() and len(word) > 1 and _is_acronym(word, is_alone=False)):
            continue
        if span.start == first or _has_capital(word, lowered, language, rank):
            lowered = word[:1] + lowered[1:]
        if lowered != word:
            changes.append((span, lowered))
    return changes


def upper_case(text: str, language: str) -> str:
    """Returns a text in capitals, as a language writes them."""
    if _base(language) in _TURKIC:
        text = text.replace("i", "İ")
    if _base(language) == "el":
        bare = (c for c in unicodedata.normalize("NFD", text) if c not in "\u0301\u0342\u0313\u0314\u0300")
        text = unicodedata.normalize("NFC", "".join(bare))
    return text.upper()


def _lower(word: str, language: str) -> str:
    """Returns a word in small letters; as long as it was."""
    if _base(language) in _TURKIC:
        word = word.replace("I", "ı").replace("İ", "i")
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in word)


def _base(language: str) -> str:
    return language.lower().replace("_", "-").split("-")[0]


def _has_capital(word: str, lowered: str, language: str, rank: Callable[[str], tuple[int, ...]] | None) -> bool:
    if _base(language) == "en" and (lowered in _CAPITALIZED or lowered == "i" or lowered.startswith(("i'", "i’"))):
        return True
    return rank is not None and rank(word[:1] + lowered[1:]) < rank(lowered)


def _is_acronym(word: str, *, is_alone: bool) -> bool:
    if word in _ACRONYMS:
        return is_alone or word not in _AMBIGUOUS
    return 1 < len(word) <= 5 and word.isascii() and not re.search("[AEIOUY]", word)


def _words(text: str, kept: Sequence[Span]) -> list[tuple[Span, str]]:
    """Returns the words outside of the ranges that are kept, and outside of dotted acronyms."""
    closed = sorted([*kept, *(Span(*match.span()) for match in _DOTTED.finditer(text) if match[0].isupper())])
    words, at = [], 0
    for match in _WORD.finditer(text):
        while at < len(closed) and closed[at].end <= match.start():
            at += 1
        if at == len(closed) or closed[at].start >= match.end():
            words.append((Span(*match.span()), match[0]))
    return words
