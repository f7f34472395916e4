"""Which elements are blocks, which are kept, and which attributes people read.

After the HTML Living Standard: 15.3 (elements that are shown as blocks), 13.1.2.4 (end tags that may be left out),
3.2.6.4 (attributes that are translated), 13.1.2 (void elements).
"""

VOID = frozenset(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr".split()
)

BLOCKS = frozenset(
    """
    address article aside blockquote body br button caption center col colgroup dd details dialog dir div dl dt fieldset
    figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li link main menu meta
    nav noframes noscript ol optgroup option p plaintext pre search section select style summary table tbody td template
    textarea tfoot th thead title tr ul xmp
    """.split()
)
"""Running text ends where one of these starts or ends."""

KEPT = frozenset(
    """
    applet audio canvas code embed iframe kbd math noembed noframes noscript object plaintext pre samp script style svg
    template textarea tt var video xmp
    """.split()
)
"""Their contents are nobody's sentences: code, formulas, drawings, other pages."""

SHOWN = frozenset("code codeph kbd samp tt var".split())
"""Kept elements whose text stands in a sentence and is read with it."""

READ_ATTRIBUTES = frozenset("alt title placeholder aria-label content name property translate class label".split())
"""Attributes whose values are looked at; all others are only copied."""

_LABELLED = frozenset({"optgroup", "option", "track"})
_DESCRIPTIONS = frozenset("description og:description og:title twitter:description twitter:title".split())

_CLOSES_PARAGRAPH = frozenset(
    """
    address article aside blockquote center details dialog dir div dl dd dt fieldset figcaption figure footer form h1 h2
    h3 h4 h5 h6 header hgroup hr li main menu nav ol p plaintext pre search section summary table ul xmp
    """.split()
)
_CLOSED_BY = {
    "p": _CLOSES_PARAGRAPH,
    "li": frozenset({"li"}),
    "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}),
    "option": frozenset({"option", "optgroup"}),
    "optgroup": frozenset({"optgroup"}),
    "td": frozenset({"td", "th", "tr", "tbody", "tfoot", "thead"}),
    "th": frozenset({"td", "th", "tr", "tbody", "tfoot", "thead"}),
    "tr": frozenset({"tr", "tbody", "tfoot", "thead"}),
    "thead": frozenset({"tbody", "tfoot"}),
    "tbody": frozenset({"tbody", "tfoot"}),
    "head": frozenset({"body"}),
}


def is_closed_by(name: str, opened: str) -> bool:
    """Whether an element whose end tag is missing ends where another starts."""
    return opened in _CLOSED_BY.get(name, ())


def closes_any(opened: str) -> bool:
    """Whether a start tag may end an element whose end tag is missing."""
    return any(opened in names for names in _CLOSED_BY.values())


def translated_attributes(name: str, values: dict[str, str]) -> tuple[str, ...]:
    """Returns the attributes of an HTML element that people read.

    Args:
        values: its attributes, by name.
    """
    found: list[str] = [key for key in ("alt", "title", "placeholder", "aria-label") if key in values]
    if name in _LABELLED and "label" in values:
        found.append("label")
    if name == "meta" and {values.get("name", "").lower(), values.get("property", "").lower()} & _DESCRIPTIONS:
        found += ["content"] if "content" in values else []
    return tuple(found)


XML_ATTRIBUTES = frozenset({"translate", "its:translate", "xml:space"})
"""Attributes of XML that are looked at."""

XML_KEPT = frozenset("code codeblock codeph kbd math pre programlisting samp script style svg tt".split())
"""As KEPT, in a vocabulary of which only the names are known."""
