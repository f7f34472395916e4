"""The tokenization behind Multi30k's files `*.lc.norm.tok.*`: that of the Moses scripts (Koehn et al. 2007).

What normalize-punctuation.perl and tokenizer.perl do, for lower-cased German and French: punctuation is unified and set
apart, except where a full stop belongs to an abbreviation, a comma or stop to a number, or a hyphen to a word. On
the sentences of Multi30k the outcome is that of the data set's files, line for line (val, test_2016_flickr, train).
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


# Order counts.
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
        # A quotation ends before the comma or stop that belongs to the sentence around it.
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

# Lower-cased words that keep a full stop. In German single letters and, as ordinals, numbers do too.
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
    """Lower-cased text with its punctuation normalized, blanks between its tokens, and XML's characters escaped."""
    # The rule about quotations wants something behind the last one; the script sees the end of the line there.
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
    """Yields the words, each full stop that ends a sentence apart from its word."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        stem = word.removesuffix(".")
        is_dots = not stem.strip(".")
        has_inner_stop = "." in stem and re.search(_LETTER, stem)
        if stem == word or is_dots or has_inner_stop or stem in abbreviations or following[:1].islower():
            yield word
        else:
            yield from (stem, ".")
