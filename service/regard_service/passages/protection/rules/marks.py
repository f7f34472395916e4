"""Emoji, emoticons, symbols, marks of references, names in brackets, @names and #tags."""

from regard_service.passages.protection.rules.kinds import Kind, Rule, either

# Emoji of Unicode Technical Standard 51, and symbols that no language translates: arrows, stars, trade marks.
_BASE = (
    "[\u00a9\u00ae\u203c\u2049\u2100-\u214f\u2190-\u21ff\u2300-\u23ff\u2460-\u249b\u24b6-\u24e9\u25a0-\u27bf"
    "\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001faff]"
)
_MODIFIER = "[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
_ONE = either(
    "[\U0001f1e6-\U0001f1ff]{1,2}+",  # flags
    "[0-9#*]\ufe0f?+\u20e3",  # keycaps
    rf"{_BASE}{_MODIFIER}{{0,12}}+",
)
_EMOJI = rf"{_ONE}(?:\u200d?+{_ONE})*+\u200d?+"
_EMOTICON = either(
    r"(?<![^\s(])[:;=]['’]?+[-o^]?+[()\[\]DPpOo|/\\*](?![^\s.,!?)])",
    r"(?<![^\s(])(?:\([-^>oOTx;][_.o][-^<oOTx;]\)|<3|:3|8-\)|[xX]D|\^_?\^|-_-|>_<|[oO]_[oO]|T_T|¯\\_\(ツ\)_/¯)(?![^\s.,!?)])",
)
# Symbols that stand by themselves: a > b > c, x | y
_SYMBOL = r"(?<![^\s])(?:[|¦~^#\\]|[*=]{1,3}|[<>]{1,2}=?|[-=]{1,2}>|<[-=]{1,2}|\|\||&&)(?!\S)"
# Of Markdown, around words: **bold**, ***both***, ~~wrong~~
_EMPHASIS = r"(?<![\w*~])(?:\*{2,3}|~~)(?=\w)|(?<=[\w.,:;!?)])(?:\*{2,3}|~~)(?![\w*~])"
_SHORT_CODE = r"(?<![\w:]):(?:[+-]1|[a-z][a-z0-9_+-]{1,48}+):(?!\w)"
# The address of a link in Markdown: [text](address)
_LINK = (
    r"(?<=\w\])\((?:[a-z]{2,8}:|[/.#]|[\w/-]{1,100}+\.(?=[a-z0-9]{2,5}[\s)#?]))"
    r"(?:[^\s()]|\([^\s()]{0,200}\)){1,1000}+(?: \"[^\"\n]{0,200}+\")?+\)"
)
_PICTURE = r"!(?=\[[^\[\]\n]{1,200}\]\()"
_REFERENCE = either(
    r"\[[0-9]{1,4}(?:[,–-] ?[0-9]{1,4}){0,9}\]",
    r"(?<=\w)\[[a-z]\]",
    r"\[\^[\w-]{1,40}+\](?::(?=\s))?+",  # of Markdown
    # A raised number behind a word or a mark, but not that of a unit: km²
    r"(?:(?<=[a-zß-öø-ÿ]{3})|(?<=[.,;:!?)\"”»]))[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]{1,3}+(?!\w)",
)

_CAPITALIZED = r"(?:[^\W\d_a-zß-öø-ÿ][\w'’.-]{0,40}+|[a-z]{1,3}+)"
_BRACKETED = either(
    rf"\[(?![A-Z]{{2,}}[ \]])(?![A-Z]{{2,}} [A-Z]{{2,}}){_CAPITALIZED}(?: {_CAPITALIZED}){{0,6}}+\]", r"\[\w{1,40}+\]"
)
_HANDLE = either(
    r"(?<![\w@.])@\w[\w.-]{0,60}+(?:@[\w.-]{1,100}+|/[\w.-]{1,60}+)?+",
    r"(?<![\w&#/])#\w[\w-]{0,80}+(?!\w)",
    r"(?<![\w/])[ur]/\w{2,40}+(?!\w)",
)

RARE = frozenset({_LINK, _PICTURE, _REFERENCE, _BRACKETED})
"""Expressions whose every match holds one of `finding.RARE_SIGNS`."""
LINK_RULES: tuple[Rule, ...] = ((_LINK, Kind.MARK), (_PICTURE, Kind.MARK))
SHORT_RULES: tuple[Rule, ...] = ((_SHORT_CODE, Kind.MARK), (_REFERENCE, Kind.MARK), (_BRACKETED, Kind.NAME))
RULES: tuple[Rule, ...] = (
    (_HANDLE, Kind.HANDLE),
    (_EMOTICON, Kind.MARK),
    (_SYMBOL, Kind.MARK),
    (_EMPHASIS, Kind.MARK),
    (_EMOJI, Kind.MARK),
)
