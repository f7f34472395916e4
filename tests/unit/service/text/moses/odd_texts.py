"""Texts in which Moses' rules meet, for comparisons with sacremoses."""

from functools import cache
from typing import Any

import pytest
from hypothesis import strategies as st

from regard_export.families.toolkits.subword_nmt import reading_tables, writing_tables
from regard_service.text.moses.tables import MosesTables

moses: Any = pytest.importorskip("sacremoses")

LANGUAGES = ("en", "de", "fr", "cs", "zh", "xx")
_WORDS = "the The Dr. No. Nr. p. art. z.B. U.S. etc. A. a. 5 1,000 3.14 can't 's s' l'eau d' x_y ti\u1ec1n na\u00efve"
_MARKS = '“ ” « » ‘ ’ ‚ … . .. ... , ,, - -- – — \' \'\' ` " ( ) [ ] < > & &amp; | € $ ¿ ¡ ? ! : ; % # @ @-@ "? ," ."'
_OTHERS = "日本 語 한국 é e\u0301 \u0600 \u094d ½ ² ´ \U0001f600 ﬁ İ ß \ufeff \u200b nº ºC cm http://a.b/c?d=e"
_SPACES = (" ", "  ", "\t", "\n", "\r", "\x1f", "\xa0", "\u2028", "\u3000")
_PARTS = st.sampled_from([*_WORDS.split(), *_MARKS.split(" "), *_OTHERS.split(" "), *_SPACES, ""])
TEXTS = st.one_of(
    st.lists(_PARTS, max_size=14).map("".join),
    st.lists(_PARTS, max_size=14).map(" ".join),
    st.text(max_size=30),
).filter(lambda text: "DOT" not in text)  # which sacremoses writes in place of dots


@cache
def reading(language: str) -> MosesTables:
    """The tables that a reader of a language has."""
    return MosesTables.parse(reading_tables(moses, language))


@cache
def writing(language: str) -> MosesTables:
    """The tables that a writer of a language has."""
    return MosesTables.parse(writing_tables(moses, language))
