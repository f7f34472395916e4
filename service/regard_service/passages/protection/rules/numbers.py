"""Numbers, amounts, times, dates, and other digits."""

from regard_service.passages.protection.rules.kinds import Kind, Rule, either

_CURRENCY = either(
    "(?:US|CA|AU|NZ|HK|R|A|C)?[$]",
    "[€£¥₹₽₩₺₪฿₴₦₫₡]",
    "(?<![A-Za-z])(?:USD|EUR|GBP|CHF|JPY|CNY|BRL|CAD|AUD|INR|SEK|NOK|DKK|PLN)(?![A-Za-z])",
)
_SPACE = "[ \u00a0\u202f]"
_MAGNITUDE = "(?:[kKMBT]|bn|mn)"  # $1.2M
# Units whose signs all languages of Latin script share, behind a space. In "5 kg of flour" they are a noun's: a model
# reads them.
_SPACED_UNIT = (
    "(?:[kcmµμ]?m[²³]?|[kmµμ]?g|[mcd]?l|[kKMGT]i?B|[kMG]bps|[kMG]?Hz|[kM]?Wh?|[kmµμ]?V|mAh|km/h|m/s|mph|ms|px|dpi|fps)"
    "(?![\\w'’/]| of )"
)
_SIGN = r"(?:(?<![\w\])])[-+−±~≈])?+"
_ALONE = r"(?<![\w.,])"
_PLAIN = r"[0-9]{1,30}+(?:(?:[.,\u00a0\u202f]|[’'](?=[0-9]{3}(?![0-9])))[0-9]{1,30}+){0,10}+"
_AMOUNT = either(
    rf"{_SIGN}{_CURRENCY}{_SPACE}?+{_PLAIN}(?:{_MAGNITUDE}(?![\w'’]))?+",
    rf"{_SIGN}{_ALONE}{_PLAIN}{_SPACE}{_SPACED_UNIT}",
    rf"{_SIGN}{_ALONE}{_PLAIN}{_SPACE}?+(?:{_CURRENCY}|%%|[%‰](?![A-Za-z%])|°{_SPACE}?[CF]\b|°)",
)
_BEHIND_UNIT = either(*(rf"(?<=[0-9]{unit} )" for unit in ("min", "m", "h")))
_SECONDS = rf"{_BEHIND_UNIT}[0-9]{{1,2}}s(?!\w)"  # 25min 30s
_DECADE = rf"{_ALONE}(?:[1-9][0-9])?[0-9]0(?=s(?!\w))"  # the 1990s
_ORDINAL = rf"{_ALONE}[0-9]{{1,12}}(?:st|nd|rd|th)(?!\w)"
_LENGTHS = r"(?<![\w.,])[0-9]{1,3}+[’'′][0-9]{1,2}+(?:[.,][0-9]{1,3}+)?+(?:[\"″”]|[’'′]{2})"  # 5'10", 48°51'24"
_COORDINATE = (
    rf"(?<![\w.,])[0-9]{{1,3}}+°{_SPACE}?+[0-9]{{1,2}}+(?:[.,][0-9]{{1,6}}+)?+[’'′]"
    rf"(?:{_SPACE}?+[0-9]{{1,2}}+(?:[.,][0-9]{{1,4}}+)?+(?:[\"″”]|[’'′]{{2}}))?+(?:{_SPACE}?+[NSEWO](?!\w))?+"
)
_NUMBER = either(rf"{_SIGN}{_ALONE}{_PLAIN}(?!\w|[.,][0-9])", rf"{_ALONE}\.[0-9]{{1,12}}+(?!\w)")

# With both marks a number has one reading, in whatever language it stands.
_GROUPED = either(
    rf"{_SIGN}{_ALONE}[0-9]{{1,3}}+(?:\.[0-9]{{3}}){{1,8}}+,[0-9]{{1,12}}+(?![\w.,][0-9]|\w)",
    rf"{_SIGN}{_ALONE}[0-9]{{1,3}}+(?:,[0-9]{{3}}){{1,8}}+\.[0-9]{{1,12}}+(?![\w.,][0-9]|\w)",
)

_SPACED = rf"{_ALONE}[1-9][0-9]{{0,2}}(?: [0-9]{{3}}){{0,4}}"
_SPACED_END = r"(?! ?[0-9]|[.,][0-9]|\w)"
_SPACED_NUMBER = rf"{_SPACED} 000{_SPACED_END}"  # 1 000 000
_SPACED_DIGITS = rf"{_SPACED}(?: [0-9]{{3}}){{2}}{_SPACED_END}"  # 612 345 678, which may be a telephone number
_HALF = rf"{_SPACE}?+(?:[aApP]\.[mM](?:\.(?!\s{{0,4}}$))?+|[aApP][mM](?!\w))"
_TIME = either(
    rf"(?<![\w.,:])[0-9]{{1,2}}(?::[0-5][0-9]){{1,2}}(?![0-9:]|,[0-9]{{3}}(?![0-9]))(?:{_HALF})?+",
    rf"(?<![\w.,:])[0-9]{{1,2}}(?:\.[0-5][0-9])?+{_HALF}",
)

_DATE = either(*(rf"[0-9]{{1,4}}+{mark}[0-9]{{1,2}}+{mark}[0-9]{{1,4}}+" for mark in ("-", r"\.", "/")))
_PIECE = r"[0-9]{1,9}+(?:[.,][0-9]{1,6}+)?+"
_RANGES = either(
    rf"{_ALONE}[0-9]{{1,2}}(?::[0-5][0-9]){{2}}[,.][0-9]{{3,6}}+(?!\w)",  # 23:59:59,123
    rf"{_CURRENCY}{_PIECE}[-–]{_CURRENCY}?{_PIECE}(?![\w-])",  # $5-10
    rf"{_ALONE}{_PIECE}(?:[-–x×]{_PIECE}){{1,3}}+{_SPACE}{_SPACED_UNIT}",  # 10x20 cm, 3–5 km
    rf"{_ALONE}{_PIECE}[-–]{_PIECE}{_SPACE}?+(?:{_CURRENCY}|%(?![\w%])|°{_SPACE}?[CF]\b)",  # 20-30%
)
_DIGITS = either(
    rf"{_ALONE}\+[0-9]{{1,3}}+(?:[ .\u00a0-]?(?:\([0-9]{{1,5}}\)|[0-9]{{1,5}}+)){{2,6}}",  # +49 30 1234567
    rf"{_ALONE}(?:\([0-9]{{3}}\) ?|[0-9]{{3}}-)[0-9]{{3,4}}(?:-[0-9]{{4}})?+(?![\w-])",  # 555-1234
    rf"{_ALONE}{_DATE}(?:T[0-9:.]{{4,15}}+Z?+)?+(?!\w|[./-][0-9]|[-+][A-Za-z])",  # but not 1.2.3-beta
    rf"{_ALONE}{_PIECE}(?:[-–/:x×]{_PIECE}){{1,6}}+(?!\w|-[A-Z](?![a-z]))",  # 10-20, 3:2, 1/2
)
_UNIT = (
    "(?:kg|km|cm|mm|nm|µm|μm|mg|µg|ml|cl|dl|kB|KB|MB|GB|TB|PB|KiB|MiB|GiB|TiB|kbps|Mbps|Gbps|Hz|kHz|MHz|GHz|kW|kWh|MW"
    "|mAh|mW|mV|kV|px|pt|em|rem|dpi|fps|ms|ns|m|g|l)"
)
# 100k, 1080p, 2x4; not ordinals and decades: 1st, 2e, 1990s, 90er
_SUFFIXED = (
    rf"{_ALONE}[0-9]{{1,12}}+(?:[.,][0-9]{{1,6}}+)?+(?!(?:st|nd|rd|th|s|er|ers|e|te|ten|em|o|a|os|as)(?!\w))"
    r"[A-Za-z]{1,4}+[0-9]{0,6}+(?![\w'’])"
)
_MEASURE = rf"{_ALONE}[0-9]{{1,12}}+(?:[.,][0-9]{{1,6}}+)?+{_UNIT}(?![\w'’])"

INCHES = rf"{_ALONE}[0-9]{{1,4}}+(?:[.,][0-9]{{1,3}}+)?+(?:[\"″]|['′](?=\s))"
"""Inches and feet, or a number at the end of what stands in quotation marks: `finding` tells them apart."""

RULES: tuple[Rule, ...] = (
    (_COORDINATE, Kind.DIGITS),
    (_LENGTHS, Kind.DIGITS),
    (INCHES, Kind.DIGITS),
    (_RANGES, Kind.DIGITS),
    (_TIME, Kind.TIME),
    (_AMOUNT, Kind.AMOUNT),
    (_GROUPED, Kind.NUMBER),
    (_SPACED_NUMBER, Kind.NUMBER),
    (_SPACED_DIGITS, Kind.DIGITS),
    (_DIGITS, Kind.DIGITS),
    (_SECONDS, Kind.CODE),
    (_MEASURE, Kind.CODE),
    (_SUFFIXED, Kind.CODE),
)
PLAIN_RULES: tuple[Rule, ...] = ((_NUMBER, Kind.NUMBER), (_DECADE, Kind.DECADE), (_ORDINAL, Kind.ORDINAL))
