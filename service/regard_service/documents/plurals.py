"""Plural forms of gettext: which form of a message a number takes.

The expressions are those that GNU gettext's manual lists (section "Plural forms") and CLDR agrees with.
"""

import gettext
import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_FORMS = 8
_SAMPLES = range(201)
_HEADER = re.compile(r"nplurals\s*+=\s*+(\d++)\s*+;\s*+plural\s*+=([^;]{1,500}+);?+")

_ONE = "nplurals=1; plural=0;"
_TWO = "nplurals=2; plural=(n != 1);"
_TWO_FRENCH = "nplurals=2; plural=(n > 1);"
_EAST_SLAVIC = "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);"
_BY_LANGUAGE = {
    **dict.fromkeys("id ja ka ko lo ms my th vi zh".split(), _ONE),
    **dict.fromkeys("fr hy kab ln mg oc pt-br ti wa".split(), _TWO_FRENCH),
    **dict.fromkeys("be bs hr ru sr uk".split(), _EAST_SLAVIC),
    **dict.fromkeys("cs sk".split(), "nplurals=3; plural=(n==1 ? 0 : n>=2 && n<=4 ? 1 : 2);"),
    "ar": "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);",
    "cy": "nplurals=4; plural=(n==1 ? 0 : n==2 ? 1 : (n != 8 && n != 11) ? 2 : 3);",
    "ga": "nplurals=5; plural=(n==1 ? 0 : n==2 ? 1 : n>=3 && n<=6 ? 2 : n>=7 && n<=10 ? 3 : 4);",
    "is": "nplurals=2; plural=(n%10!=1 || n%100==11);",
    "lt": "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && (n%100<10 || n%100>=20) ? 1 : 2);",
    "lv": "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n != 0 ? 1 : 2);",
    "mk": "nplurals=2; plural=(n%10==1 && n%100!=11 ? 0 : 1);",
    "pl": "nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);",
    "ro": "nplurals=3; plural=(n==1 ? 0 : (n==0 || (n%100>0 && n%100<20)) ? 1 : 2);",
    "sl": "nplurals=4; plural=(n%100==1 ? 0 : n%100==2 ? 1 : n%100==3 || n%100==4 ? 2 : 3);",
}


@dataclass(frozen=True)
class PluralForms:
    """The forms of a language.

    Attributes:
        number: how many there are.
        one: the form of the number 1.
        is_one_alone: whether no other number has that form.
    """

    number: int
    one: int
    is_one_alone: bool


def forms_of_language(language: str) -> str:
    """Returns the header's Plural-Forms for a language, by its code (BCP 47, "_" allowed); two forms if unknown."""
    code = language.lower().replace("_", "-")
    return _BY_LANGUAGE.get(code) or _BY_LANGUAGE.get(code.partition("-")[0], _TWO)


def read_forms(header: str) -> PluralForms | None:
    """Reads a Plural-Forms header; None if it is a template's, or wrong."""
    match = _HEADER.search(header)
    if match is None or not 1 <= int(match[1][:4]) <= MAX_FORMS:
        return None
    number = int(match[1])
    try:
        form_of: Callable[[int], int] = gettext.c2py(match[2].strip())
        forms = [form_of(count) for count in _SAMPLES]
    except (ValueError, RecursionError, ArithmeticError):
        return None
    if not all(0 <= form < number for form in forms):
        return None
    return PluralForms(number, forms[1], forms.count(forms[1]) == 1)
