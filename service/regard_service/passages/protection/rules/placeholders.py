"""Placeholders of formats and templates, code spans, tags and entities."""

from regard_service.passages.protection.rules.kinds import Kind, Rule, either

_CODE_SPAN = either(r"```[^`]{1,1000}+```", r"``(?:[^`\n]|`(?!`)){1,300}+``", r"`[^`\n]{1,300}+`(?!`)")
# What somebody types on a keyboard, or reads on a screen, is no running text.
_TYPED = either(
    *(
        rf"<{name}(?:\s[^<>\n]{{0,100}}+)?+>[^<>\n]{{1,80}}+</{name}>(?:{{_GAP}}<{name}>[^<>\n]{{1,80}}+</{name}>){{0,4}}+".replace(
            "{_GAP}", r" ?[+,] ?"
        )
        for name in ("kbd", "code", "samp", "var", "tt")
    )
)
# H<sub>2</sub>O, 10<sup>6</sup>, km<sup>2</sup>; not 1<sup>st</sup>, nor a word with a mark of a footnote
_SHIFTED = (
    r"(?<![\w<>])(?:[A-Z][a-z]?|[a-z]{1,2}(?![a-z])|[0-9]{1,6})(?:[A-Za-z0-9]{0,3}"
    r"<su[bp]>(?!(?:st|nd|rd|th)<)[^<>\s]{1,8}+</su[bp]>){1,6}+[A-Za-z0-9]{0,3}+(?!\w)"
)
_OVERRIDE = r"\{\\[A-Za-z0-9][^{}\n]{0,120}+\}"  # of subtitles: {\an8}
_COMMENT = r"<!--(?:[^<>\n-]|-(?!->)){0,500}+-->"
_ESCAPED_TAG = r"&lt;/?[A-Za-z][A-Za-z0-9]{0,20}+(?:\s[^&<>\n]{0,200}+)?+/?&gt;"
_TAG = r"</?[0-9]{1,3}+/?>|</?[A-Za-z][A-Za-z0-9_:-]{0,40}+(?:\s[^<>\n]{0,300}+)?+/?>"
# Of TeX: formulas, what names a place or a file, what stands around words, other commands.
_FORMULA_OF_TEX = either(
    r"(?<![\w$\\])\$(?![\s{(])(?=[^$\n]{0,200}[\\^_=+])[^$\n]{1,200}+(?<![\s\\])\$(?![\w$])",
    r"(?<![\w$\\])\$[A-Za-z]\$(?![\w$])",
)
_TEX = either(
    r"\\\((?:[^\\\n]|\\(?!\))){1,300}+\\\)",
    r"\\\[(?:[^\\\n]|\\(?!\])){1,300}+\\\]",
    r"\\(?:(?:auto|page|eq|c)?ref|cite[a-z]{0,3}+|label|includegraphics|input|begin|end|usepackage|documentclass|url)\*?+"
    r"(?:\[[^\[\]\n]{0,80}+\])?+\{[^{}\n]{0,120}+\}",
)
_TEX_AROUND = r"\\[A-Za-z]{2,20}+\*?+\{(?=[^{}\n]{1,300}\})"
_TEX_END = r"(?<=[\w.,;:!?'\")%])\}"
_TEX_WORD = r"(?<![\w\\:])\\(?:[A-Z]?[a-z]{2,19}+)(?![\w\\{(])"
# Regular expressions: ^[a-z]+\d{2,3}$
_REGEX = r"(?<![^\s(])(?!\()(?=\S{0,80}?(?:\[\^?+[^\[\]\s]{1,30}+\]|\\[dwsbDWSB])[+*?{])\S{1,119}[^\s.,;:!?)]"
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
    r"(?<![\w%])%(?:L?[1-9][0-9]?|n)(?![\w%$]|\.[0-9*])",  # of Qt: %1, %n
    r"%[dsi@](?=px|pt|s\b|ms\b|th\b)",
    r"(?<!\w)%[A-Za-z_]\w{1,40}+%?+",  # %PATH%, %PRODUCTNAME
    r"%%",
)
# What somebody fills in: ____, __/__/____
_BLANK = r"(?<![\w/])(?:_{3,60}+(?![A-Za-z])|__(?=[/.-]__))(?:[/.-]_{2,30}+){0,5}+(?!\w)"
_VARIABLE = either(
    _BLANK,
    r"(?<![\w$])\$[a-z]{1,4}+\([^()\n]{1,80}+\)",  # $t(key)
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

RARE = frozenset(
    {
        *(_CODE_SPAN, _TYPED, _SHIFTED, _COMMENT, _OVERRIDE, _ESCAPED_TAG, _TAG, _REGEX, _TEX, _TEX_AROUND, _TEX_WORD),
        *(_BRACES, _ESCAPE, _ENTITY, _AND),
    }
)
"""Expressions whose every match holds one of `finding.RARE_SIGNS`."""
CODE_RULES: tuple[Rule, ...] = (
    (_CODE_SPAN, Kind.CODE),
    (_TYPED, Kind.CODE),
    (_SHIFTED, Kind.CODE),
    (_COMMENT, Kind.MARK),
    (_OVERRIDE, Kind.MARK),
    (_ESCAPED_TAG, Kind.MARK),
    (_TAG, Kind.MARK),
    (_FORMULA_OF_TEX, Kind.CODE),
    (_TEX, Kind.CODE),
    (_REGEX, Kind.CODE),
    (_TEX_AROUND, Kind.MARK),
)
RULES: tuple[Rule, ...] = (
    (_BRACES, Kind.PLACEHOLDER),
    (_PRINTF, Kind.PLACEHOLDER),
    (_TEX_END, Kind.MARK),
    (_VARIABLE, Kind.PLACEHOLDER),
    (_ESCAPE, Kind.MARK),
    (_TEX_WORD, Kind.CODE),
    (_ENTITY, Kind.ENTITY),
    (_AND, Kind.ENTITY),
)
