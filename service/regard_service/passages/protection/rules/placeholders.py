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
_VARIABLE = either(
    r"(?<![\w$])\$\$?+[A-Za-z_]\w{0,60}+",  # $HOME
    r"\$\([^()\n]{1,80}+\)",  # $(pwd)
    r"(?<![^\s(\"'“>])(?<![0-9] ):[a-z][a-z_]{1,40}+(?![\w:])",  # :name
    r"\[\[[^\[\]\n]{1,80}+\]\]",
    r"(?<!\w)@@\w{1,40}+@@",
    r"\\[nrtv0\"'](?![a-z])",
)
_ENTITY = r"&(?:[A-Za-z][A-Za-z0-9]{1,30}+|#[0-9]{1,7}+|#[xX][0-9A-Fa-f]{1,6}+);"

_AND = r"(?<![\w&])&(?![\w&;#])"

CODE_RULES: tuple[Rule, ...] = ((_CODE_SPAN, Kind.CODE), (_TAG, Kind.MARK))
RULES: tuple[Rule, ...] = (
    (_BRACES, Kind.PLACEHOLDER),
    (_PRINTF, Kind.PLACEHOLDER),
    (_VARIABLE, Kind.PLACEHOLDER),
    (_ENTITY, Kind.ENTITY),
    (_AND, Kind.ENTITY),
)
