"""A paragraph of Markdown as pieces: text and codes, each with its source.

markdown-it parses; its tokens of running text have no positions. They come in the order of the source and cover it, so
each begins where the one before ends. Rules that consume more than their token shows note the end of what they consume.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from markdown_it import MarkdownIt, rules_inline
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.admon import admon_plugin
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

from regard_service.documents.inline import Part, Piece, Tag, Text, merged, paired
from regard_service.documents.markdown_directives import directive_plugin

_END = "end"
_NOTED = {
    "newline": rules_inline.newline,
    "escape": rules_inline.escape,
    "backticks": rules_inline.backtick,
    "link": rules_inline.link,
    "image": rules_inline.image,
    "autolink": rules_inline.autolink,
    "html_inline": rules_inline.html_inline,
    "entity": rules_inline.entity,
}
_HTML_NAME = re.compile(r"</?([A-Za-z][\w-]*+)")
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_CODE_NAMES = frozenset("code kbd samp tt var script style".split())


class Misread(ValueError):
    """The tokens do not cover the source: some rule of the parser does what is not expected here."""


def parser() -> MarkdownIt:
    """Returns a parser of CommonMark with tables, strikethrough, footnotes, definition lists, formulas and more.

    It finds blocks only: the running text of each is parsed by itself, if it is short enough.
    """
    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"]).disable(["inline", "text_join"])
    markdown.use(front_matter_plugin).use(deflist_plugin).use(directive_plugin).use(admon_plugin)
    markdown.use(footnote_plugin, inline=False, move_to_end=False)
    markdown.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    for name, rule in _NOTED.items():
        markdown.inline.ruler.at(name, _noting(rule))
    return markdown


def _noting(rule: Callable[[StateInline, bool], bool]) -> Callable[[StateInline, bool], bool]:
    """Makes a rule note, on the last token that it adds, where it stopped."""

    def noted(state: StateInline, silent: bool) -> bool:
        count = len(state.tokens)
        is_used = rule(state, silent)
        if is_used and not silent and len(state.tokens) > count:
            state.tokens[-1].meta[_END] = state.pos
        return is_used

    return noted


def read_inline(content: str, tokens: Sequence[Token]) -> list[Piece]:
    """Returns the pieces of a paragraph.

    Args:
        content: its source, lines joined by line feeds.
        tokens: its children in markdown-it.

    Raises:
        Misread: they do not fit.
    """
    found = list(_pieces(content, tokens))
    if sum(len(piece.source) for piece, _ in found) != len(content):
        raise Misread("the tokens do not cover the text")
    pieces = paired([piece for piece, _ in found], [part for _, part in found])
    return merged(_without_code(pieces))


def _pieces(content: str, tokens: Sequence[Token]) -> Iterator[tuple[Piece, Part]]:
    position = 0
    auto_start: int | None = None
    for token in tokens:
        if token.info == "auto" and token.nesting > 0:
            auto_start = position
        elif token.info == "auto":
            start, position, auto_start = auto_start or position, token.meta[_END], None
            yield Tag("alone", 0, content[start:position], content[start:position]), None
        elif token.type == "image":
            end = token.meta[_END]
            yield from _image(token, content[position:end])
            position = end
        elif auto_start is None:
            end = _end_of(token, content, position)
            if end > position:
                yield _piece(token, content[position:end])
            position = end


def _end_of(token: Token, content: str, position: int) -> int:
    """Returns where a token's source ends, which starts at `position`."""
    if _END in token.meta:
        return int(token.meta[_END])
    match token.type:
        case "text":
            expected = token.content
        case "link_open":
            expected = "["
        case "footnote_ref":
            expected = f"[^{token.meta['label']}]"
        case "math_inline" | "math_inline_double":
            expected = f"{token.markup}{token.content}{token.markup}"
        case _:
            expected = token.markup
    if not content.startswith(expected, position):
        raise Misread(f"{token.type} at {position}")
    return position + len(expected)


def _image(token: Token, source: str) -> Iterator[tuple[Piece, Part]]:
    """Yields a picture: its description is text between two codes."""
    label = token.content
    if not source.startswith(f"![{label}]"):
        raise Misread("a picture")
    yield Tag("alone", 0, "!["), ("image", True)
    yield from _pieces(label, token.children or ())
    yield _reference(source[len(label) + 2 :], label), ("image", False)


def _piece(token: Token, source: str) -> tuple[Piece, Part]:
    match token.type:
        case "text" | "text_special":
            return Text(token.content, source), None
        case "softbreak":
            return Text(" ", source), None
        case "code_inline" | "math_inline" | "math_inline_double":
            return Tag("alone", 0, source, token.content), None
        case "html_inline":
            return Tag("alone", 0, source), html_part(source)
    part = (token.tag, token.nesting > 0) if token.nesting else None
    return Tag("alone", 0, source), part


def html_part(source: str) -> Part:
    """Returns which element a tag of HTML opens or closes; None for void elements and comments."""
    match = _HTML_NAME.match(source)
    if match is None or match[1].lower() in _VOID or source.endswith("/>"):
        return None
    return f"<{match[1].lower()}>", not source.startswith("</")


def _reference(source: str, label: str) -> Tag:
    """Returns the code that closes a link or picture: one that is named by its text keeps the name."""
    name = " ".join(label.split())
    return Tag("alone", 0, source, rewritten=f"][{name}]" if source in ("]", "][]") else "")


def _without_code(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Makes one code of each element of HTML that holds code, such as <kbd>, and names links by their text."""
    end = None
    opened: list[str] = []
    texts: dict[int, int] = {}
    for position, piece in enumerate(pieces):
        if end is not None:
            if isinstance(piece, Tag) and piece.kind == "close" and piece.number == end:
                end = None
                yield Tag("alone", piece.number, "".join(opened) + piece.source, "".join(opened[1:]))
            else:
                opened.append(piece.source)
        elif isinstance(piece, Tag) and piece.kind == "open" and _is_code(piece.source):
            end, opened = piece.number, [piece.source]
        elif isinstance(piece, Tag) and piece.kind == "open" and piece.source == "[":
            texts[piece.number] = position
            yield piece
        elif isinstance(piece, Tag) and piece.kind == "close" and piece.number in texts:
            label = "".join(each.source for each in pieces[texts[piece.number] + 1 : position])
            yield _reference(piece.source, label)._replace(kind="close", number=piece.number)
        else:
            yield piece


def _is_code(source: str) -> bool:
    match = _HTML_NAME.match(source)
    return match is not None and match[1].lower() in _CODE_NAMES
