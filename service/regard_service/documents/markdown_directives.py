"""Lines of directives in Markdown: ":::note" and ":::" of Pandoc, Docusaurus and VuePress. What is between is text."""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock

_DIRECTIVE = re.compile(r":{3,}(?:[ \t]*+[\w{\[-][^`\n]*+)?$")


def directive_plugin(markdown: MarkdownIt) -> None:
    """Makes the lines of directives blocks without text, which end a paragraph."""
    markdown.block.ruler.before(
        "fence", "directive", _directive, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )


def _directive(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    if state.is_code_block(start_line):
        return False
    line = state.src[state.bMarks[start_line] + state.tShift[start_line] : state.eMarks[start_line]]
    if _DIRECTIVE.match(line.rstrip()) is None:
        return False
    if not silent:
        state.line = start_line + 1
        token = state.push("directive", "", 0)
        token.map, token.hidden = [start_line, state.line], True
    return True
