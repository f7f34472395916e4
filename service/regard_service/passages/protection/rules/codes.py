"""Product codes, versions, hexadecimal numbers, and names of programs' parts."""

import re

from regard_service.passages.protection.rules.kinds import Kind, Rule, either

_UPPER = (
    r"(?<![\w/.-])(?=[A-Z0-9._/#-]{0,40}[0-9])(?=[A-Z0-9._/#-]{0,40}[A-Z])"
    r"[A-Z0-9]{1,20}+(?:[-_./#][A-Z0-9]{1,20}+){1,10}+(?!\w)(?!-\w)"  # AB-123-X
)
_MIXED = either(
    r"(?<![\w.-])(?:v[0-9]{1,4}(?:\.[0-9]{1,4}){1,5}+|[0-9]{1,4}(?:\.[0-9]{1,4}){2,5}+)(?:[-+/:]\w(?:[\w.]{0,20}\w)?)?(?!\w)",
    # A4, sha256, ABC1234-56
    r"(?<!\w)[A-Za-z]{1,20}+[0-9][A-Za-z0-9]{0,40}+(?:-[A-Za-z0-9]{0,20}[0-9][A-Za-z0-9]{0,20}+){0,5}(?!\w)",
    r"(?<![\w.,-])0x[0-9A-Fa-f]{1,32}+(?!\w)",
    r"(?<![\w.,-])[0-9]{1,6}+[A-Z](?![a-z])[A-Za-z0-9]{0,40}+(?!\w)",  # 5G
)
_HEX = "[0-9A-Fa-f]{1,4}+"
_ZONE = r"(?:%[A-Za-z]\w{0,15}+)?+(?:/[0-9]{1,3}+)?+"  # of an address, and the length of a prefix
_NETWORK = either(
    # node@18.x
    r"(?<![\w@/.-])(?:@[\w-]{1,60}+/)?+[A-Za-z][\w.-]{0,60}+@[\^~]?+v?+[0-9]{1,5}+(?:\.[\w-]{1,20}+){0,5}+(?!\w)",
    r"(?<!\w)(?:UTC|GMT)[+\u2212-][0-9]{1,2}(?::?[0-9]{2})?(?!\w)",
    *(
        rf"(?<![\w-])(?=[0-9]{{0,63}}+[{letters}])(?=[{letters}]{{0,63}}+[0-9])[0-9{letters}]{{6,64}}+(?![\w-])"
        for letters in ("a-f", "A-F")  # 3f2a9c1b: a digest, or its beginning
    ),
    r"(?<![\w-])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?!\w)",
    rf"(?<![\w:.]){_HEX}(?::{{1,2}}{_HEX}){{3,7}}+(?![\w:]){_ZONE}",  # AA:BB:CC:00:11:22, 2001:db8:1::2
    rf"(?<![\w:.]){_HEX}(?::{_HEX}){{0,6}}::(?:{_HEX}(?::{_HEX}){{0,6}})?(?![\w:]){_ZONE}",
    r"(?<![\w.,-])[0-9]{1,5}+/(?:tcp|udp|TCP|UDP)(?!\w)",
    r"(?<![\w.@+%/:-])[A-Za-z_][\w.-]{0,31}+@[A-Za-z][A-Za-z0-9-]{0,62}+(?![\w@-]|\.\w)",  # user@host
)
_IDENTIFIER = either(
    r"(?<![\w.])[A-Za-z_]\w{0,60}+(?:(?:::|->)[A-Za-z_]\w{0,60}+){1,6}+(?:\(\))?+",  # std::vector
    r"(?<![\w.])[A-Za-z_][\w.-]{0,60}=(?!=)(?:[\w/:-]|\.(?=\w)){0,100}+",  # key=value
    r"(?<![\w-])[a-z]{1,4}+-[0-9]{1,6}+-[a-z0-9]{1,4}+(?![\w-])",  # ab-12-cd
    r"(?<!\w)(?=\w{0,80}?[A-Za-z0-9]_[A-Za-z0-9])[A-Za-z_]\w{0,120}+(?:\([^()\n]{0,80}+\))?+(?!\w)",  # f_x(a, b)
    r"(?<!\w)(?!_[A-Za-z][a-z]{0,60}+_(?!\w))__?[A-Za-z]\w{0,60}+(?!\w)",  # _name, but not the emphasis of _word_
    r"(?<![\w.])[A-Za-z_]\w{0,60}+(?:(?:\.|::|->)[A-Za-z_]\w{0,60}+){0,6}+\(\)",  # a.b()
    r"(?<!\w)[a-z]{1,30}+[A-Z][a-z]{1,30}+(?:[A-Z][A-Za-z0-9]{0,30}+)?+(?!\w)",  # camelCase
    r"(?<!\w)[A-Z][a-z]{1,30}+(?:[A-Z]{1,5}+[a-z]{1,30}+){1,8}+[A-Z0-9]{0,3}+(?!\w)",  # PascalCase
    r"(?<![\w.])[A-Za-z_]\w{0,60}+(?:(?:\.|::|->)[A-Za-z_]\w{0,60}+){1,6}+\([^()\n]{0,80}+\)",  # a.b(c)
    r"(?<![\w.])[A-Za-z]\w{1,30}+\((?=[0-9.])[0-9.,% -]{1,60}+\)",  # rgb(255, 128, 0)
    # com.example.App
    r"(?<![\w.@-])[a-z][a-z0-9]{1,20}+(?:\.[a-z][a-z0-9_]{0,30}+){1,6}\.[A-Z][A-Za-z0-9]{1,40}+(?!\w|\.\w)",
    r"(?<![\w-])--[a-z][a-z0-9-]{1,40}+(?:=[^\s,;]{1,100}+)?+",
    r"(?<![^\s(\[\"'`/|])-[A-Za-z](?![\w-])",  # -v
    r"(?<![\w&])\w{1,20}+(?:&\w{1,20}+){1,4}+(?![\w&;])",  # R&D
    r"(?<!\S)\.[A-Z][A-Za-z]{1,15}+(?!\w)",  # .NET
    r"(?<![\w+#])[CFJ](?:\+\+|#)(?![\w+#])",
    r"(?<![^\s(])=[A-Z]{2,30}+\([^()\s]{0,100}+\)(?:[^\s,;.()]|\.(?=\w)){0,100}+",  # formulas: =NOW()-A1
)

_RAISED = "\u00b2\u00b3\u00b9\u2070-\u208e"  # digits and signs above or below the line
# Formulas are terms (5, 2.5x, x2, mc², (a+b), f(x), n!, 2^10) with a relation, a sum or a product.
_POWER = r"[²³¹⁰-₎]{0,4}+(?:\^\(?+-?+[0-9A-Za-z]{1,4}+\)?+)?+"
_TERM = (
    r"(?:[-−]?+(?:[0-9]{1,15}+(?:[.,][0-9]{1,10}+)?+[A-Za-zΑ-ω%]?+|[A-Za-zΑ-ω](?:[A-Za-z](?=[0-9²³^]))?+[0-9]{0,3}+"
    rf"(?:\([A-Za-z0-9, ]{{1,10}}+\))?+){_POWER}!?+)(?!\w)"
)
_JOINT = "(?: [-+*/−^] |[-+*/−^])"
_SUM = rf"{_TERM}(?:{_JOINT}{_TERM}){{0,8}}+"
_SIDE = rf"(?:\({_SUM}\)|{_TERM})(?:{_JOINT}(?:\({_SUM}\)|{_TERM})){{0,8}}+"
_RELATION = "(?:[<>=!]=|[=≤≥≠≈±×÷·∈∝])"
_LESS = "(?: [<>] |(?<=[0-9])[<>]|[<>](?=-?[0-9])(?!3(?![0-9])))"  # no tags: r<i>e
_FORMULA = either(
    rf"(?<![\w.,^]){_SIDE}(?:(?: {_RELATION} |{_RELATION}|{_LESS}){_SIDE}){{1,8}}+",
    rf"(?<![\w.,^]){_TERM}(?:(?: [+*] |[+*]){_TERM}){{1,8}}+",
    r"(?<![\w.,^])[A-Za-z][0-9]{0,3}+\^\(?+-?+[0-9A-Za-z]{1,4}+\)?+(?!\w)",
    # 10^6, 1e-5
    r"(?<![\w.,^])[0-9]{1,9}+(?:[.,][0-9]{1,9}+)?+"
    r"(?:\^(?:\([-\u2212]?+\w{1,4}+\)|[-\u2212]?+[0-9A-Za-z]{1,4}+)|[eE][-+\u2212]?+[0-9]{1,3}+)(?!\w)",
    # H₂O, Ca²⁺
    rf"(?<!\w)(?=[A-Za-z0-9()]{{1,15}}+[{_RAISED}])[A-Z](?:[A-Za-z0-9{_RAISED}]|\([A-Za-z0-9{_RAISED}]{{1,10}}+\)){{1,30}}+(?!\w)",
)
_KEY = "(?:Ctrl|Control|Alt(?:Gr)?|Shift|Cmd|Command|Option|Win|Windows|Super|Meta|Fn|Esc|Strg|Umschalt|Maj|Ctl|[⌘⌥⇧⌃])"
_KEYS = either(
    rf"(?<![\w+]){_KEY}(?: ?\+ ?{_KEY}){{0,3}}+ ?\+ ?(?:[A-Za-z][a-z]{{0,10}}+|[0-9]|F[0-9]{{1,2}}+|[^\w\s])(?!\w)",
    r"(?<!\w)[⌘⌥⇧⌃]{1,4}+[A-Za-z0-9](?!\w)",
)
_MOVE = r"(?<![\w.])(?:[KQRBN][a-h1-8]?|[a-h])?x?[a-h][1-8](?:=[QRBN])?+[+#]{1,2}+(?![\w+#])"  # of chess: Rd8+, exd5+
_ACCOUNT = r"(?<!\w)[A-Z]{2}[0-9]{2}(?: [A-Z0-9]{4}){3,7}(?: [A-Z0-9]{1,3})?+(?!\w)"  # DE89 3704 0044 0532 0130 00

KEY_RULES: tuple[Rule, ...] = ((_KEYS, Kind.CODE), (_MOVE, Kind.CODE), (_ACCOUNT, Kind.CODE))
FORMULA_RULES: tuple[Rule, ...] = ((_FORMULA, Kind.CODE),)
_CODE_END = re.compile(r"(?:[;{}]|\)\s*:|\bthen|\bdo)\s*\.?$")  # normalization may have added a full stop
_CODE_SIGN = re.compile(
    r"&&|\|\||[=!<>]=|\"\w{1,40}\" ?: |=>|->|::|\+\+|[+*/-]=|\w\((?![a-z]{1,3}\))|\w\[|[\w)\]] = |[{};]\s*}"
    r"|^\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP) "
)
_PROMPT = re.compile(r"\s*\$ [a-z./~]")


def is_code(text: str) -> bool:
    """Whether a line is one of a program.

    It ends as in one, and has a sign that running text does not have; or it has a shell's prompt: "$ make install".
    """
    has_end_and_sign = _CODE_END.search(text[-16:]) is not None and _CODE_SIGN.search(text) is not None
    return has_end_and_sign or _PROMPT.match(text) is not None


NETWORK_RULES: tuple[Rule, ...] = ((_NETWORK, Kind.CODE),)
RULES: tuple[Rule, ...] = ((_UPPER, Kind.CODE), (_MIXED, Kind.CODE), (_IDENTIFIER, Kind.CODE))
