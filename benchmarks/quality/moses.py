"""The tokenization of Multi30k's files `*.lc.norm.tok.*`: that of the Moses scripts (Koehn et al. 2007).

Follows normalize-punctuation.perl and tokenizer.perl for lower-cased German and French: unifies punctuation and splits
it off, except the full stop of an abbreviation, the comma or stop within a number and the hyphen within a word. On
the sentences of Multi30k the output equals the data set's files line by line (val, test_2016_flickr, train).
"""

import re
from collections.abc import Iterator

LANGUAGES = ("de", "fr")

_LETTER = r"[^\W\d_]"
_NO_LETTER = r"[\W\d_]"
_NO_BREAK_SPACE = "\u00a0"

_Rules = list[tuple[re.Pattern[str], str]]


def _compiled(rules: list[tuple[str, str]]) -> _Rules:
    return [(re.compile(pattern), replacement) for pattern, replacement in rules]


# The order matters.
_NORMALIZE = _compiled(
    [
        (r"\(", " ("),
        (r"\)", ") "),
        (r" +", " "),
        (r"\) ([.!:?;,])", r")\1"),
        (r"\( ", "("),
        (r" \)", ")"),
        (r"(\d) %", r"\1%"),
        (r" ([:;])", r"\1"),
        (r"`", "'"),
        (r"''", ' " '),
        (r"[„“”]", '"'),
        (r"–", "-"),
        (r"—", " - "),
        (r" +", " "),
        (r"´", "'"),
        (r"([a-z])[‘’]([a-z])", r"\1'\2"),
        (r"[‘‚’]|''", '"'),
        (r"…", "..."),
        (r" « ", ' "'),
        (r"« ?", '"'),
        (r" » ", '" '),
        (r" ?»", '"'),
        (rf"{_NO_BREAK_SPACE}([%:?!;])", r"\1"),
        (rf",{_NO_BREAK_SPACE}", ", "),
        (r" +", " "),
        # The quotation ends before the comma or stop of the surrounding sentence.
        (r',"', '",'),
        (r'(\.+)"(\s*[^<])', r'"\1\2'),
        (rf"(\d){_NO_BREAK_SPACE}(\d)", r"\1,\2"),
    ]
)

_APOSTROPHES = {
    "de": _compiled([(r"'", " ' ")]),
    "fr": _compiled(
        [
            (rf"({_NO_LETTER})'({_NO_LETTER})", r"\1 ' \2"),
            (rf"({_NO_LETTER})'({_LETTER})", r"\1 ' \2"),
            (rf"({_LETTER})'({_NO_LETTER})", r"\1 ' \2"),
            (rf"({_LETTER})'({_LETTER})", r"\1' \2"),
        ]
    ),
}

# Lower-cased words that keep a full stop. German also keeps it after single letters and, for ordinals, after numbers.
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_ABBREVIATIONS = {
    "de": {
        *_ALPHABET,
        *map(str, range(1, 100)),
        *"i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx".split(),
        *"bzgl bzw ca dergl dgl etc evtl ff ggf jun pp sen sog sogen spp usf usw vgl vs zzt".split(),
    },
    "fr": {
        *_ALPHABET[1:],
        *"al ann apr art auj av boul ca cf chap contr dir env etc ex fasc fig fr fém hab ibid id inf lib masc".split(),
        *"ms pl pp sec sect sing sq sqq suiv sup suppl tél vb vol vs éd".split(),
    },
}

_ESCAPES = str.maketrans(
    {
        "&": "&amp;",
        "|": "&#124;",
        "<": "&lt;",
        ">": "&gt;",
        "'": "&apos;",
        '"': "&quot;",
        "[": "&#91;",
        "]": "&#93;",
    }
)


def tokenize(text: str, language: str) -> str:
    """Normalizes punctuation of lower-cased text, separates tokens by blanks, and escapes XML characters."""
    # The rule for quotations needs a character after the last one; the script reads the line break there.
    normalized = _apply(_NORMALIZE, text + "\n")
    spaced = f" {' '.join(normalized.split())} "
    spaced = re.sub(r"([^\w\s.'`,\-]|_)", r" \1 ", spaced)
    spaced = re.sub(r"\.{2,}", r" \g<0> ", spaced)
    spaced = re.sub(r"(?<!\d),|,(?!\d)", " , ", spaced)
    words = _apply(_APOSTROPHES[language], spaced).split()
    return " ".join(_without_stops(words, _ABBREVIATIONS[language])).translate(_ESCAPES)


def _apply(rules: _Rules, text: str) -> str:
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text


def _without_stops(words: list[str], abbreviations: set[str]) -> Iterator[str]:
    """Yields the words, and separately each full stop that ends a sentence."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        stem = word.removesuffix(".")
        is_dots = not stem.strip(".")
        has_inner_stop = "." in stem and re.search(_LETTER, stem)
        if stem == word or is_dots or has_inner_stop or stem in abbreviations or following[:1].islower():
            yield word
        else:
            yield from (stem, ".")
