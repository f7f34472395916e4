"""Marks of keyboard shortcuts in labels: "_File" of GTK, "E&xit" of Qt and Windows, "~Edit" of LibreOffice.

A model reads the label without its mark; the translation gets the mark before the same letter, if it has that, or
before its first one.
"""

import re

_MAX_WORDS = 5
# Within a word only "&": "snake_case" is a name. "R&D" and "AT&T" have a capital behind, entities a semicolon.
_MARK = re.compile(r"(?:(?<![^\s(\[])[_&~]|(?<=[^\W\d_])&(?=[^\W\d_A-Z]))(?=[^\W\d_])(?!\w{1,31};)")
_KEPT = re.compile(r"%[\w()$.-]*|\{[^{}]*\}|<[^<>]*>|&\w+;|&#\w+;")


def without_accelerator(text: str) -> tuple[str, str]:
    """Returns a label without the mark of its shortcut, and the mark with its letter; "" if it has none.

    A label has few words and no sentence's end, and one mark only.
    """
    marks = list(_MARK.finditer(text))
    is_label = len(text.split()) <= _MAX_WORDS and not re.search(r"[.!?]\s+\w|[^.][.!?]\s*$", text)
    if len(marks) != 1 or not is_label or text.count(marks[0][0]) > 1:
        return text, ""
    place = marks[0].start()
    return text[:place] + text[place + 1 :], text[place : place + 2]


def with_accelerator(text: str, accelerator: str) -> str:
    """Returns a translation with the mark of a shortcut before its letter; outside of tags and placeholders.

    Args:
        accelerator: the mark and the source's letter.
    """
    if not accelerator or accelerator[0] in text:
        return text
    kept = [match.span() for match in _KEPT.finditer(text)]
    letters = [
        index
        for index, character in enumerate(text)
        if character.isalpha() and not any(start <= index < end for start, end in kept)
    ]
    same = [index for index in letters if text[index].casefold() == accelerator[1].casefold()]
    first = [index for index in same if index == 0 or not text[index - 1].isalnum()]
    place = next(iter([*first, *same, *letters]), None)
    return text if place is None else f"{text[:place]}{accelerator[0]}{text[place:]}"
