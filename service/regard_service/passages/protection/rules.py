"""Finds what a translation copies, by rules. Time is linear in the text's length, whatever the text.

Every repetition in a rule is possessive, and bounded or guarded by a look-behind, so that no rule starts over within
what it has read.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from regard_service.domain.results import Span


class Kind(Enum):
    """What a span is, which decides how it is carried through a model."""

    PLACEHOLDER = "placeholder"
    CODE = "code"  # code spans, identifiers, product codes
    ADDRESS = "address"  # URLs, e-mail addresses, paths, file names
    HANDLE = "handle"  # @names and #tags
    NAME = "name"  # names in brackets, and what a caller protects
    MARK = "mark"  # emoji, symbols, reference marks: no part of the sentence's grammar
    ENTITY = "entity"  # HTML entities in plain text
    NUMBER = "number"
    AMOUNT = "amount"  # a number with its currency or percent sign
    TIME = "time"
    DIGITS = "digits"  # dates, ranges, scores, telephone numbers: copied as they are


NUMERIC = frozenset({Kind.NUMBER, Kind.AMOUNT, Kind.TIME, Kind.DIGITS})


class Finding(NamedTuple):
    """A part of a text that is copied."""

    span: Span
    kind: Kind


_EMOJI_BASE = (
    "\u00a9\u00ae\u203c\u2049\u2100-\u214f\u2190-\u21ff\u2300-\u23ff\u24b6-\u24e9\u2460-\u249b\u25a0-\u27bf\u2900-\u297f"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001faff"
)
_EMOJI_ONE = (
    r"(?:[\U0001f1e6-\U0001f1ff]{1,2}+|[0-9#*]\ufe0f?+\u20e3"
    rf"|[{_EMOJI_BASE}](?:[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]{{0,12}}+))"
)
_EMOJI = rf"{_EMOJI_ONE}(?:\u200d?+{_EMOJI_ONE})*+\u200d?+"
_EMOTICON = r"(?<!\S)(?:[:;=]['’]?[-o^]?[()\[\]DPpOo|/\\*]|<3|[xX]D|\^\^|¯\\_\(ツ\)_/¯)(?!\S)"
_SHORT_CODE = r"(?<![\w:]):(?:[+-]1|[a-z][a-z0-9_+-]{1,48}+):(?!\w)"
_REFERENCE = r"\[[0-9]{1,4}(?:[,–-] ?[0-9]{1,4}){0,9}\]|(?<=\w)\[[a-z]\]"

_SEGMENT = r"[^\s<>\"“”„«»`{}|\\^\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]"
_SCHEME = r"(?<![A-Za-z0-9+.-])(?:[A-Za-z][A-Za-z0-9+.-]{0,19}+://|(?:mailto|tel|urn|data|doi|magnet):(?=[^\s:]))"
_TOP_LEVEL = (
    "com|org|net|edu|gov|mil|int|info|biz|io|dev|app|ai|eu|de|fr|es|pt|br|uk|us|ca|it|nl|be|ch|at|pl|ru|ua|cz|se|no|fi"
    "|dk|ie|jp|cn|kr|in|au|nz|za|mx|ar|cl|co|me|tv|cc|ly|gg|xyz|online|site|tech|shop|blog|cloud|example|test|local"
)
_LABEL = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}+)\.)"
_URL = (
    rf"{_SCHEME}{_SEGMENT}++|(?<![\w@.-])www\.{_SEGMENT}++"
    rf"|(?<![\w@.-])(?:[a-z0-9][a-z0-9-]{{0,61}}+\.){{1,8}}(?<=\.)(?:{_TOP_LEVEL})(?![\w-]|\.\w)(?::[0-9]{{1,5}}+)?+(?:/{_SEGMENT}*+)?+"
)
_EMAIL = rf"(?<![\w.+%-])[\w.+%'-]{{1,64}}+@{_LABEL}{{1,8}}[A-Za-z][A-Za-z0-9-]{{0,22}}+(?<=[A-Za-z0-9]{{2}})(?!\w)"

_EXTENSION = (
    "(?i:7z|aac|apk|asc|asm|avi|avif|bak|bash|bat|bib|bin|bmp|bz2|cab|cfg|class|cmd|conf|cpp|cs|css|csv|cxx|dat|db|deb"
    "|dll|dmg|doc|docm|docx|dot|dtd|dylib|eml|eps|epub|exe|flac|flv|fodt|gif|go|gpx|gz|gzip|heic|hpp|hs|htm|html|ical|ico"
    "|ics|img|ini|ipynb|iso|jar|java|jpeg|jpg|js|json|jsonl|jsx|key|kt|lock|log|lua|m3u|m4a|m4v|md|mid|mkv|mo|mov|mp3|mp4"
    "|mpeg|mpg|msi|npy|npz|odb|odf|odg|odp|ods|odt|ogg|onnx|otf|ott|pages|parquet|patch|pdf|pem|php|pkl|png|po|pot|pps"
    "|ppt|pptx|properties|ps|ps1|psd|py|pyc|rar|rb|rpm|rs|rst|rtf|scss|sh|so|sql|srt|svg|swift|tar|tex|tgz|tif|tiff|toml"
    "|ts|tsv|tsx|ttf|txt|vb|vbs|vcf|vtt|wasm|wav|webm|webp|wma|wmv|woff|woff2|xhtml|xlf|xliff|xls|xlsm|xlsx|xml|xsd|xsl"
    "|xz|yaml|yml|zip|zst|[ch])"
)
_PART = r"[\w+@~=,-]"
_FILE = (
    rf"(?<![\w./\\-])(?:\*|{_PART}{{1,100}}+)(?:\.{_PART}{{1,60}}+){{0,6}}?\.{_EXTENSION}(?![\w-]|\.\w)"
    r"|(?<![\w./\\])\*\.\w{1,10}+\b"
)
_PATH = (
    r"(?<![\w./\\])(?:~|\.{1,2}|\$[A-Z]{1,30}+)?+(?:/[\w.+@~%-]{1,200}+)++/?+"
    r"|(?<![\w./\\])(?:~|\.{1,2})/(?!\w)"
    r"|(?<![\w./\\-])[\w.+@-]{1,100}+(?:/[\w.+@-]{1,100}+){1,20}+(?:(?<=\.[A-Za-z])|(?<=\.[A-Za-z0-9]{2})|(?<=\.[A-Za-z0-9]{3})|(?<=\.[A-Za-z0-9]{4}))(?![\w/])"
    r"|(?<![\w\\])(?:[A-Za-z]:|\\\\[\w.$-]{1,64}+)(?:[\\/][^\s\\/:*?\"<>|]{0,200}+)++"
    r"|(?<![\w./\\])\.(?:bash|zsh|vim|git|npm|docker|env|ssh|pypi|net|eslint|prettier|editor)[a-z]{0,12}+(?!\w)"
)

_BRACES = (
    r"\{\{[^{}\n]{0,120}+\}\}"
    r"|[$#%@]?\{[^{}\s]{0,80}+\}"
    r"|\{\s?+\w{1,40}+\s?+(?:,\s?+\w{1,20}+\s?+(?:,(?:[^{}]|\{(?:[^{}]|\{[^{}]{0,80}\}){0,200}\}){0,400})?)?\}"
    r"|\{%[^{}\n]{0,120}+%\}|<%[^<>\n]{0,120}+%>"
)
_PRINTF = (
    r"%(?:\([\w.]{1,60}+\)|[0-9]{1,2}+\$)[-+#0]{0,3}+[0-9*]{0,3}+(?:\.[0-9*]{0,3}+)?+(?:hh|ll|[hlLqjzt])?+[@a-zA-Z]"
    r"|%[-+#0]{0,3}+(?:[0-9*]{0,3}+)(?:\.[0-9*]{1,3}+)?+(?:hh?+|ll?+|[Lqjzt])?+[diouxXeEfFgGcsSaprP@](?![a-zA-Z])"
    r"|%[dsi@](?=px|pt|s\b|ms\b|th\b)|(?<!\w)%[A-Za-z_]\w{1,40}+%|%%|(?<=[0-9])%(?=%)"
)
_VARIABLE = r"(?<![\w$])\$\$?+[A-Za-z_]\w{0,60}+|\[\[[^\[\]\n]{1,80}+\]\]|(?<!\w)@@\w{1,40}+@@|\\[nrtv0\"'](?![a-z])"
_CODE_SPAN = r"```[^`]{1,1000}+```|``[^`\n]{1,300}+``|`[^`\n]{1,300}+`"
_PLACE_TAG = r"</?[A-Za-z][A-Za-z0-9_:-]{0,40}+(?:\s[^<>\n]{0,300}+)?+/?>"

_UPPER_CODE = r"(?<![\w/.-])(?=[A-Z0-9._/-]{0,40}[0-9])(?=[A-Z0-9._/-]{0,40}[A-Z])[A-Z0-9]{1,20}+(?:[-_./][A-Z0-9]{1,20}+){1,10}+(?![\w])(?!-\w)"
_MIXED_CODE = (
    r"(?<![\w.-])(?:v[0-9]{1,4}(?:\.[0-9]{1,4}){1,5}+|[0-9]{1,4}(?:\.[0-9]{1,4}){2,5}+)(?:[-+][\w.]{1,20}+)?+(?![\w])"
    r"|(?<![\w-])[A-Za-z]{1,20}+[0-9][A-Za-z0-9]{0,40}+(?:-[A-Za-z0-9]{0,20}+[0-9][A-Za-z0-9]{0,20}+){0,5}+(?!\w)"
    r"|(?<![\w-])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?!\w)"
    r"|(?<![\w.,-])0x[0-9A-Fa-f]{1,32}+(?!\w)"
    r"|(?<![\w.,-])[0-9]{1,6}+[A-Z](?![a-z])[A-Za-z0-9]{0,12}+(?!\w)"
)
_IDENTIFIER = (
    r"(?<!\w)(?=\w{0,80}?[A-Za-z0-9]_[A-Za-z0-9])[A-Za-z_]\w{0,120}+(?:\(\))?+(?!\w)"
    r"|(?<!\w)__?[A-Za-z]\w{0,60}+(?!\w)"
    r"|(?<![\w.])[A-Za-z_]\w{0,60}+(?:(?:\.|::|->)[A-Za-z_]\w{0,60}+){0,6}+\(\)"
    r"|(?<!\w)[a-z]{1,30}+[A-Z][a-z]{1,30}+(?:[A-Z][a-z0-9]{0,30}+){0,8}+(?!\w)"
    r"|(?<![\w-])--[a-z][a-z0-9-]{1,40}+(?:=[^\s,;]{1,100}+)?+|(?<![\w+#])(?:C|F|J)(?:\+\+|#)(?![\w+#])"
)
_UNIT = (
    "kg|km|cm|mm|nm|µm|μm|mg|µg|ml|cl|dl|kB|KB|MB|GB|TB|PB|KiB|MiB|GiB|TiB|kbps|Mbps|Gbps|Hz|kHz|MHz|GHz|kW|kWh|MW|mAh|mW"
    "|mV|kV|px|pt|em|rem|dpi|fps|ms|ns|m|g|l"
)
_MEASURE = rf"(?<![\w.,])[0-9]{{1,12}}+(?:[.,][0-9]{{1,6}}+)?+(?:{_UNIT})(?![\w'’])"
_BRACKETED = (
    r"\[(?:[^\W\d_a-zß-öø-ÿ][\w'’.-]{0,40}+|[a-z]{1,3}+)(?: (?:[^\W\d_a-zß-öø-ÿ][\w'’.-]{0,40}+|[a-z]{1,3}+)){0,6}+\]"
    r"|\[\w{1,40}+\]"
)
_ENTITY = r"&(?:[A-Za-z][A-Za-z0-9]{1,30}+|#[0-9]{1,7}+|#[xX][0-9A-Fa-f]{1,6}+);"
_HANDLE = (
    r"(?<![\w@.])@[\w][\w.-]{0,60}+(?:@[\w.-]{1,100}+|/[\w.-]{1,60}+)?+|(?<![\w&#/])#\w[\w-]{0,80}+(?!\w)"
    r"|(?<![\w/])[ur]/\w{2,40}+(?!\w)"
)

_CURRENCY = r"(?:(?:US|CA|AU|NZ|HK|R|A|C)?[$]|[€£¥₹₽₩₺₪฿₴₦₫₡]|(?<![A-Za-z])(?:USD|EUR|GBP|CHF|JPY|CNY|BRL|CAD|AUD|INR|SEK|NOK|DKK|PLN)(?![A-Za-z]))"
_SPACE = "[ \u00a0\u202f]"
_SIGN = r"(?:(?<![\w\])])[-+−±~≈])"
_AM_PM = rf"{_SPACE}?+(?:[aApP]\.[mM]\.|[aApP][mM](?![\w]))"
_TIME = rf"(?<![\w.,:])[0-9]{{1,2}}(?::[0-5][0-9]){{1,2}}(?![0-9:])(?:{_AM_PM})?+|(?<![\w.,:])[0-9]{{1,2}}{_AM_PM}"
_DIGITS = (
    r"(?<![\w.,])\+[0-9]{1,3}+(?:[ .\u00a0-]?(?:\([0-9]{1,5}\)|[0-9]{1,5}+)){2,6}"
    r"|(?<![\w.,])(?:\([0-9]{3}\) ?|[0-9]{3}-)[0-9]{3,4}(?:-[0-9]{4})?+(?![\w-])"
    r"|(?<![\w.,])[0-9]{1,4}+(?:([-./])[0-9]{1,2}+)\1[0-9]{1,4}+(?:T[0-9:.]{4,15}+Z?+)?+(?![\w])"
    r"|(?<![\w.,])[0-9]{1,9}+(?:[.,][0-9]{1,6}+)?+(?:[-–/:x×][0-9]{1,9}+(?:[.,][0-9]{1,6}+)?+){1,6}+(?!\w)"
)
_PLAIN = r"[0-9]{1,30}+(?:[.,’'\u00a0\u202f][0-9]{1,30}+){0,10}+"
_AMOUNT = rf"{_SIGN}?+{_CURRENCY}{_SPACE}?+{_PLAIN}|{_SIGN}?+(?<![\w.,]){_PLAIN}{_SPACE}?+(?:{_CURRENCY}|[%‰](?![A-Za-z%])|°{_SPACE}?[CF]\b|°)"
_NUMBER = rf"(?:{_SIGN})?+(?<![\w.,]){_PLAIN}(?![\w]|[.,][0-9])|(?<![\w.,])\.[0-9]{{1,12}}+(?!\w)"

# In order: where two rules match at one place, the first wins.
_RULES: tuple[tuple[str, Kind], ...] = (
    (_CODE_SPAN, Kind.CODE),
    (_PLACE_TAG, Kind.CODE),
    (_URL, Kind.ADDRESS),
    (_EMAIL, Kind.ADDRESS),
    (_BRACES, Kind.PLACEHOLDER),
    (_PRINTF, Kind.PLACEHOLDER),
    (_VARIABLE, Kind.PLACEHOLDER),
    (_ENTITY, Kind.ENTITY),
    (_SHORT_CODE, Kind.MARK),
    (_REFERENCE, Kind.MARK),
    (_BRACKETED, Kind.NAME),
    (_FILE, Kind.ADDRESS),
    (_PATH, Kind.ADDRESS),
    (_HANDLE, Kind.HANDLE),
    (_EMOTICON, Kind.MARK),
    (_EMOJI, Kind.MARK),
    (_TIME, Kind.TIME),
    (_AMOUNT, Kind.AMOUNT),
    (_DIGITS, Kind.DIGITS),
    (_MEASURE, Kind.CODE),
    (_UPPER_CODE, Kind.CODE),
    (_MIXED_CODE, Kind.CODE),
    (_IDENTIFIER, Kind.CODE),
    (_NUMBER, Kind.NUMBER),
)


def _named(rules: tuple[tuple[str, Kind], ...]) -> re.Pattern[str]:
    """Joins the rules, and numbers the group of each."""
    groups = []
    for index, (rule, _) in enumerate(rules):
        groups.append(
            f"(?P<r{index}>{rule.replace('([-./])', '(?P<separator>[-./])').replace(chr(92) + '1', '(?P=separator)')})"
        )
    return re.compile("|".join(groups))


_PATTERN = _named(_RULES)
_SENTENCE_ENDS = ".,;:!?…'\"’”»*_"
_PAIRS = {")": "(", "]": "["}


def find(text: str) -> list[Finding]:
    """Returns what a translation copies; in order, without overlap."""
    return [finding for finding in _found(text) if finding.span.start < finding.span.end]


def _found(text: str) -> Iterator[Finding]:
    position = 0
    while (match := _PATTERN.search(text, position)) is not None:
        kind = _RULES[int(str(match.lastgroup).removeprefix("r"))][1]
        end = _trimmed_end(text, match.start(), match.end(), kind)
        if end > match.start():
            yield Finding(Span(match.start(), end), kind)
        position = max(end, match.start() + 1)


def _trimmed_end(text: str, start: int, end: int, kind: Kind) -> int:
    """Leaves punctuation after an address or a name to the sentence; closing brackets stay if they were opened."""
    if kind not in (Kind.ADDRESS, Kind.HANDLE):
        return end
    surplus = {close: text.count(close, start, end) - text.count(open_, start, end) for close, open_ in _PAIRS.items()}
    while end > start:
        last = text[end - 1]
        if surplus.get(last, 0) > 0:
            surplus[last] -= 1
        elif last in _PAIRS or last not in _SENTENCE_ENDS:
            return end
        end -= 1
    return end
