"""Product codes, versions, hexadecimal numbers, and names of programs' parts."""

from regard_service.passages.protection.rules.kinds import Kind, Rule, either

_UPPER = (
    r"(?<![\w/.-])(?=[A-Z0-9._/-]{0,40}[0-9])(?=[A-Z0-9._/-]{0,40}[A-Z])"
    r"[A-Z0-9]{1,20}+(?:[-_./][A-Z0-9]{1,20}+){1,10}+(?!\w)(?!-\w)"  # AB-123-X
)
_MIXED = either(
    r"(?<![\w.-])(?:v[0-9]{1,4}(?:\.[0-9]{1,4}){1,5}+|[0-9]{1,4}(?:\.[0-9]{1,4}){2,5}+)(?:[-+][\w.]{1,20}+)?+(?!\w)",
    # A4, sha256, ABC1234-56
    r"(?<!\w)[A-Za-z]{1,20}+[0-9][A-Za-z0-9]{0,40}+(?:-[A-Za-z0-9]{0,20}[0-9][A-Za-z0-9]{0,20}+){0,5}(?!\w)",
    r"(?<![\w-])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?!\w)",
    r"(?<![\w.,-])0x[0-9A-Fa-f]{1,32}+(?!\w)",
    r"(?<![\w.,-])[0-9]{1,6}+[A-Z](?![a-z])[A-Za-z0-9]{0,12}+(?!\w)",  # 5G
)
_IDENTIFIER = either(
    r"(?<!\w)(?=\w{0,80}?[A-Za-z0-9]_[A-Za-z0-9])[A-Za-z_]\w{0,120}+(?:\(\))?+(?!\w)",  # snake_case
    r"(?<!\w)__?[A-Za-z]\w{0,60}+(?!\w)",
    r"(?<![\w.])[A-Za-z_]\w{0,60}+(?:(?:\.|::|->)[A-Za-z_]\w{0,60}+){0,6}+\(\)",  # a.b()
    r"(?<!\w)[a-z]{1,30}+[A-Z][a-z]{1,30}+(?:[A-Z][A-Za-z0-9]{0,30}+)?+(?!\w)",  # camelCase
    r"(?<!\w)[A-Z][a-z]{1,30}+(?:[A-Z]{1,5}+[a-z]{1,30}+){1,8}+[A-Z0-9]{0,3}+(?!\w)",  # PascalCase
    r"(?<![\w-])--[a-z][a-z0-9-]{1,40}+(?:=[^\s,;]{1,100}+)?+",
    r"(?<![\w+#])[CFJ](?:\+\+|#)(?![\w+#])",
    r"(?<![^\s(])=[A-Z]{2,30}+\([^()\s]{0,100}+\)(?:[^\s,;.()]|\.(?=\w)){0,100}+",  # formulas: =NOW()-A1
)

RULES: tuple[Rule, ...] = ((_UPPER, Kind.CODE), (_MIXED, Kind.CODE), (_IDENTIFIER, Kind.CODE))
