"""Placeholders of formats and templates, code spans, tags and entities."""

from regard_service.passages.protection.rules.kinds import Kind, Rule, either

_CODE_SPAN = either(r"```[^`]{1,1000}+```", r"``(?:[^`\n]|`(?!`)){1,300}+``", r"`[^`\n]{1,300}+`(?!`)")
_TAG = r"</?[0-9]{1,3}+/?>|</?[A-Za-z][A-Za-z0-9_:-]{0,40}+(?:\s[^<>\n]{0,300}+)?+/?>"
_BRACES = either(
    r"\{\{\{[^{}\n]{0,120}+\}\}\}",
    r"\{\{[^{}\n]{0,120}+\}\}",  # {{ name }}
    r"[$#%@]?\{[^{}\s]{0,80}+\}",  # {name}, {0:.2f}, ${name}
    # The messages of ICU: {count, plural, one{# file} other{# files}}
    r"\{\s?+\w{1,40}+\s?+(?:,\s?+\w{1,20}+\s?+(?:,(?:[^{}]|\{(?:[^{}]|\{[^{}]{0,80}\}){0,200}\}){0,400})?)?\}",
    r"\{%(?:[^{}\n%]|%(?!\})){0,120}+%\}",
    r"<%(?:[^<>\n%]|%(?!>)){0,120}+%>",
)
_PRINTF = either(
    # %(name)s, %1$d
    r"%(?:\([\w.]{1,60}+\)|<\w{1,60}+>|[0-9]{1,2}+\$)[-+#0]{0,3}+[0-9*]{0,3}+(?:\.[0-9*]{0,3}+)?+(?:hh|ll|[hlLqjzt])?+[@a-zA-Z]",
    # %s, %-5.2f; "100% sure" has none
    r"%[-+#0]{0,3}+[0-9*]{0,3}+(?:\.[0-9*]{1,3}+)?+(?:hh?+|ll?+|[Lqjzt])?+[diouxXeEfFgGcsSaprP@](?![a-zA-Z])",
    r"%[dsi@](?=px|pt|s\b|ms\b|th\b)",
    r"(?<!\w)%[A-Za-z_]\w{1,40}+%?+",  # %PATH%, %PRODUCTNAME
    r"%%",
)
# What somebody fills in: ____, __/__/____
_BLANK = r"(?<![\w/])(?:_{3,60}+(?![A-Za-z])|__(?=[/.-]__))(?:[/.-]_{2,30}+){0,5}+(?!\w)"
_VARIABLE = either(
    _BLANK,
    r"(?<![\w$])\$\$?+[A-Za-z_]\w{0,60}+",  # $HOME
    r"\$\([^()\n]{1,80}+\)",  # $(pwd)
    r"(?<![^\s(\"'“>])(?<![0-9] ):[a-z][a-z_]{1,40}+(?![\w:])",  # :name
    r"\[\[[^\[\]\n]{1,80}+\]\]",
    r"(?<!\w)@@\w{1,40}+@@",
)
# In strings of programs. A break may have a word right behind it where a sentence or a part of one has ended.
_ESCAPE = either(
    r"(?:\\[nrtv0]){1,20}+(?![a-z])",
    r"(?<=[.!?,;)])(?:\\[nrt]){1,20}+(?=[a-z])",
    r"\\[\"'](?![a-z])",
    r"(?<!\w)\\[\"']",
)
_ENTITY = r"&(?:[A-Za-z][A-Za-z0-9]{1,30}+|#[0-9]{1,7}+|#[xX][0-9A-Fa-f]{1,6}+);"

_AND = r"(?<![\w&])&(?![\w&;#])"

RARE = frozenset({_CODE_SPAN, _TAG, _BRACES, _ESCAPE, _ENTITY, _AND})
"""Expressions whose every match holds one of `finding.RARE_SIGNS`."""
CODE_RULES: tuple[Rule, ...] = ((_CODE_SPAN, Kind.CODE), (_TAG, Kind.MARK))
RULES: tuple[Rule, ...] = (
    (_BRACES, Kind.PLACEHOLDER),
    (_PRINTF, Kind.PLACEHOLDER),
    (_VARIABLE, Kind.PLACEHOLDER),
    (_ESCAPE, Kind.MARK),
    (_ENTITY, Kind.ENTITY),
    (_AND, Kind.ENTITY),
)
