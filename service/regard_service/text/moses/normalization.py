"""Moses' normalization of punctuation (moses-smt/mosesdecoder, scripts/tokenizer/normalize-punctuation.perl), as
sacremoses 0.2 has it.
"""

from regard_service.text.moses.traced import Rule, TracedText, rule

_NO_BREAK = "\N{NO-BREAK SPACE}"
_ONE_SPACE = rule(r"( ) +", 1)

_BEFORE: tuple[Rule, ...] = (
    rule(r"\r"),
    rule(r"(\()", " ", 1),
    rule(r"(\))", 1, " "),
    _ONE_SPACE,
    rule(r"(\)) ([.!:?;,])", 1, 2),
    rule(r"(\() ", 1),
    rule(r" (\))", 1),
    rule(r"(\d) (%)", 1, 2),
    rule(r" (:)", 1),
    rule(r" (;)", 1),
    rule(r"`", "'"),
    rule(r"''", ' " '),
    rule(r"[„“”]", '"'),
    rule(r"–", "-"),
    rule(r"—", " - "),
    _ONE_SPACE,
    rule(r"[´‘‚’]", "'"),
    rule(r"''", '"'),
    rule(r"…", "..."),
    rule(f"{_NO_BREAK}«{_NO_BREAK}|«{_NO_BREAK}|«", '"'),
    rule(f"{_NO_BREAK}»{_NO_BREAK}|{_NO_BREAK}»|»", '"'),
    rule(f"{_NO_BREAK}(%)", 1),
    rule(f"(nº){_NO_BREAK}", 1, " "),
    rule(f"{_NO_BREAK}(:)", 1),
    rule(f"{_NO_BREAK}(ºC|cm)", " ", 1),
    rule(f"{_NO_BREAK}([?!])", 1),
    rule(f"{_NO_BREAK}(;)", 1),
    rule(f"(,){_NO_BREAK}", 1, " "),
    _ONE_SPACE,
)
# Commas and full stops stand before a quotation mark in English, behind it in these others.
_ENGLISH = (rule(r'"([,.]+)', -1, '"'),)
_AFTER_QUOTES = (rule(r',"', '",'), rule(r'(\.++)(?:"(\s*[^<]))?', '"', -1, 2))
_QUOTES: dict[str, tuple[Rule, ...]] = {"en": _ENGLISH, **dict.fromkeys(("de", "es", "fr"), _AFTER_QUOTES)}
_WITH_COMMA = frozenset({"de", "es", "cz", "cs", "fr"})  # as the mark of decimals
_DECIMALS = {mark: rule(rf"(\d){_NO_BREAK}(\d)", 1, mark, 2) for mark in ",."}


def normalized(text: TracedText, language: str) -> TracedText:
    """Returns a text with the punctuation that Moses' tokenizer expects. Args: language: of the text."""
    decimals = _DECIMALS["," if language in _WITH_COMMA else "."]
    for each in (*_BEFORE, *_QUOTES.get(language, ()), decimals):
        text = text.replaced(each)
    return text.stripped()
