"""How the characters of a translation are written: as the source writes them, and never as markup."""

from collections import defaultdict
from collections.abc import Iterable

from regard_service.passages.markup.entities import MarkupFormat, starts_reference

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}


class Speller:
    """Writes a segment's translation.

    A character that occurs as often as in the source is written as there, one by one; so is one that the source always
    writes alike. All others are written as references where they would be markup.

    Args:
        source: the characters of the segment that are written otherwise or may have to be, each as it is written.
        quote: around an attribute's value; "" for a running text.
    """

    def __init__(self, target: str, source: Iterable[tuple[str, str]], markup: MarkupFormat, quote: str) -> None:
        self._target = target
        self._markup = markup
        self._special = frozenset("&<>" + quote)
        written = defaultdict[str, list[str]](list)
        for character, spelling in source:
            written[character].append(spelling)
        self._spellings: dict[int, str] = {}
        for character in self._special | written.keys():
            self._choose(character, written[character])

    def _choose(self, character: str, spellings: list[str]) -> None:
        places = [index for index, each in enumerate(self._target) if each == character]
        if len(places) != len(spellings):
            usual = spellings[0] if len(set(spellings)) == 1 else self._escaped(character)
            spellings = [usual] * len(places)
        for place, spelling in zip(places, spellings, strict=True):
            self._spellings[place] = spelling if self._is_safe(place, spelling) else self._escaped(character)

    def _is_safe(self, place: int, spelling: str) -> bool:
        """Whether a character that is written by itself is not markup there."""
        following = self._target[place + 1 : place + 2]
        if spelling == "&":
            return not starts_reference(self._target, place, self._markup)
        if spelling == "<":
            return not (following.isalpha() or following in ("/", "!", "?"))
        return not (spelling == ">" and self._target[max(0, place - 2) : place] == "]]")

    def _escaped(self, character: str) -> str:
        return _ESCAPES[character] if character in self._special else character

    def written(self, start: int, end: int) -> list[str]:
        """Returns how each character of a range of the translation is written."""
        return [
            self._spellings.get(index) or self._allowed(character)
            for index, character in enumerate(self._target[start:end], start)
        ]

    def _allowed(self, character: str) -> str:
        """Returns a character, or U+FFFD for one that XML has not."""
        is_control = character < " " and character not in "\t\n\r"
        is_refused = is_control or character in "\ufffe\uffff" or "\ud800" <= character <= "\udfff"
        return "\ufffd" if self._markup == "xml" and is_refused else character


def may_need_spelling(character: str) -> bool:
    """Whether a character's spelling in the source is worth remembering."""
    return character in _ESCAPES
