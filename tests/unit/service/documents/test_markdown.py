"""Markdown: what reads as text is translated, all else stays; what is written reads as what was translated."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from regard_service.documents.markdown import open_markdown
from regard_service.documents.unit import DocumentOptions, Written
from tests.unit.service.documents.translators import copied, shouted, texts, written

PAGE = """\
---
title: "Front *matter*"
---
# My *garden* #

It has *two* trees and [a pond](https://example.com "T"). Press <kbd>Ctrl</kbd> or `make *test*`
and go on\\*, **bold _nested_ text** &amp; more; see [ref][a], [a] or ![a cat](cat.png).\x20\x20
Hard broken line\\
another $x^2$ line costs $5 or $6 <https://auto.example/>.

Setext *heading*
================

- item one
  continues here
  1. nested *item*
- [ ] a task

> A quote that
> goes on.
> > deeper

> [!NOTE]
> Look out.

| Name  | What \\| it is |
|-------|:--:|
| *Tom* | a cat |
| a     | |

```python
print("hello")
```

    indented code

<details>
<summary>Click <b>me</b></summary>

Inner text.[^1]

</details>

[a]: https://example.com/a "title"
[^1]: The footnote
    goes on.

    ~~~
    code in a note
    ~~~

Term
: Definition.
"""
SHOUTED = """\
---
title: "Front *matter*"
---
# MY *GARDEN* #

IT HAS *TWO* TREES AND [A POND](https://example.com "T"). PRESS <kbd>Ctrl</kbd> OR `make *test*`
AND GO ON*, **BOLD _NESTED_ TEXT** & MORE; SEE [REF][a], [A][a] OR ![A CAT](cat.png).\x20\x20
HARD BROKEN LINE\\
ANOTHER $x^2$ LINE COSTS $5 OR $6 <https://auto.example/>.

SETEXT *HEADING*
================

- ITEM ONE
  CONTINUES HERE
  1. NESTED *ITEM*
- [ ] A TASK

> A QUOTE THAT
> GOES ON.
> > DEEPER

> [!NOTE]
> LOOK OUT.

| NAME  | WHAT \\| IT IS |
|-------|:--:|
| *TOM* | A CAT |
| A     | |

```python
print("hello")
```

    indented code

<details>
<summary>CLICK <b>ME</b></summary>

INNER TEXT.[^1]

</details>

[a]: https://example.com/a "title"
[^1]: THE FOOTNOTE
    GOES ON.

    ~~~
    code in a note
    ~~~

TERM
: DEFINITION.
"""


def read(text: str) -> Written:
    document = open_markdown(text.encode(), DocumentOptions())
    return document.write(shouted(document))


def one(source: str, translation: str) -> str:
    """The file with its only unit translated."""
    return written(open_markdown(source.encode(), DocumentOptions()), [translation])


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_page(line_end: str) -> None:
    page, shouted_page = (text.replace("\n", line_end) for text in (PAGE, SHOUTED))
    document = open_markdown(page.encode(), DocumentOptions())
    assert document.write(copied(document)) == Written(page.encode())
    assert read(page) == Written(shouted_page.encode())


def test_markup_is_tags_and_code_is_shown_but_kept() -> None:
    document = open_markdown(b"Run `a<b` **now**, *please*<br>or ![a cat](c.png) & [b](u)\n", DocumentOptions())
    assert texts(document) == [
        'Run <x id="2" translate="no">a&lt;b</x> <g id="4">now</g>, <g id="8">please</g><img id="11"/>or '
        '<g id="13">a cat</g> &amp; <g id="17">b</g>'
    ]


FRAGMENTS = st.sampled_from(
    [
        *(
            "a",
            "b c",
            "é",
            "語",
            "1.",
            "-",
            "*",
            "**",
            "_",
            "`",
            "``",
            "[",
            "]",
            "(",
            ")",
            "](u)",
            "![",
            "<b>",
            "</b>",
            "<",
            ">",
        ),
        *(
            "&amp;",
            "&",
            "\\",
            "\\*",
            "\n",
            "\n\n",
            "  \n",
            "\\\n",
            "# ",
            "> ",
            "- ",
            "1. ",
            "    ",
            "\t",
            "|",
            "\n|-|-|\n",
            "~~",
        ),
        *(
            "```\n",
            "---\n",
            "===\n",
            "[^1]",
            "[^1]: ",
            "[a]: u\n",
            "[a]",
            "$",
            "$$",
            ": ",
            "<div>",
            "</div>",
            "<!--",
            "-->",
            "::: note",
            ":::\n",
            '!!! note "a"\n    b\n',
            "\r\n",
            "\r",
        ),
    ]
)


@settings(max_examples=400)
@given(st.lists(FRAGMENTS, max_size=24).map("".join))
@example("~~~a~~b~~")
@example("> a\n    b")
@example("| a\\|b |\n|-|\n| c\\| |\n")
@example("- a\n\tb *c\n\td*")
def test_a_copied_file_is_the_file(text: str) -> None:
    document = open_markdown(text.encode(), DocumentOptions())
    assert document.write(copied(document)).data == text.encode()


def html(text: str) -> str:
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


@settings(max_examples=400)
@given(st.lists(FRAGMENTS, min_size=1, max_size=10).map("".join))
@example("1. Mai")
@example("# Haus")
@example("* a * b_c_ [x] <b>")
@example("www & &amp; `x`")
def test_any_text_is_written_so_that_it_reads_as_itself(text: str) -> None:
    """A paragraph whose translation looks like markup stays a paragraph with that text."""
    words = " ".join(text.split())
    found = one("Hello\n", words)
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(found)
    assert [token.type for token in tokens] == (["paragraph_open", "inline", "paragraph_close"] if words else [])
    children = tokens[1].children or [] if words else []
    assert {child.type for child in children} <= {"text", "text_special"}
    assert "".join(child.content for child in children) == words


@pytest.mark.parametrize(
    ("source", "translation", "expected"),
    [
        ("- one\n", "1. Mai", "- 1\\. Mai\n"),
        ("*a* b\n", '<g id="1">x </g>y', "*x* y\n"),
        ("_a_ b\n", 'vor<g id="1">satz</g>teil', "vor<em>satz</em>teil\n"),
        ("**a** b\n", 'vor<g id="1">satz</g>teil', "vor**satz**teil\n"),
        ("see [a]\n\n[a]: u\n", 'siehe <g id="2">das da</g>', "siehe [das da][a]\n\n[a]: u\n"),
        ("[a]\n\n[a]: u\n", '<g id="1">das da</g>', "[das da][a]\n\n[a]: u\n"),
        ("| a |\n|---|\n", "x | y", "| x \\| y |\n|---|\n"),
        ("> a word and\n> more\n", "viel mehr Wörter als zuvor", "> viel mehr\n> Wörter als\n> zuvor\n"),
        ("- a word and\n  more\n", "Wort - 1. Mai oder", "- Wort - 1.\n  Mai oder\n"),
    ],
)
def test_translations_become_markdown(source: str, translation: str, expected: str) -> None:
    assert one(source, translation) == expected


@pytest.mark.parametrize("translation", ["x", '<g id="9">x</g>', '<g id="1">x', '<g id="1">x</g><g id="1">y</g>'])
def test_a_translation_with_other_tags_leaves_the_source_and_says_so(translation: str) -> None:
    document = open_markdown(b"*a* b\n\nc\n", DocumentOptions())
    found = document.write([translation, "d"])
    assert found.data == b"*a* b\n\nd\n"
    assert found.faults[0].unit == 0
    assert found.faults[0].message.startswith("the source stays: the translation ")


def test_the_case_of_the_shared_list() -> None:
    source = '# My garden\n\nIt has *two* trees and [a pond](https://example.com).\n\n```python\nprint("hello")\n```\n'
    document = open_markdown(source.encode(), DocumentOptions())
    assert written(document, ["Mein Garten", 'Er hat <g id="2">zwei</g> Bäume und <g id="6">einen Teich</g>.']) == (
        "# Mein Garten\n\nEr hat *zwei* Bäume und [einen Teich](https://example.com).\n\n"
        '```python\nprint("hello")\n```\n'
    )


@pytest.mark.parametrize(
    "hostile", ["[" * 20_000, "*a **b " * 5_000, "`" * 20_000, "<a " * 10_000, "> " * 2_000 + "a", "![" * 9_000]
)
def test_hostile_files_are_read_in_bounded_time(hostile: str) -> None:
    document = open_markdown(hostile.encode(), DocumentOptions(max_unit_characters=10**6))
    assert document.write(copied(document)).data == hostile.encode()


ADMONITIONS = """\
::: note My title
The dog sleeps.
:::

:::tip{title="x"}

- The cat.
:::

!!! note "My title"
    The bird *sings*.

    ```py
    x = 1
    ```

!!! warning
    Take care.

Text with ::: inside.
"""


def test_directives_stay_and_the_text_in_them_does_not() -> None:
    document = open_markdown(ADMONITIONS.encode(), DocumentOptions())
    sings = 'The bird <g id="2">sings</g>.'
    inside = ["The dog sleeps.", "The cat.", "My title", sings, "Take care.", "Text with ::: inside."]
    assert texts(document) == inside
    assert written(document, copied(document)) == ADMONITIONS
    found = written(document, shouted(document))
    assert "::: note My title\nTHE DOG SLEEPS.\n:::\n" in found
    assert '!!! note "MY TITLE"\n    THE BIRD *SINGS*.\n' in found
