"""Which texts of a page are translated, and which stay."""

import pytest

from regard_service.passages.markup.parse import parse
from regard_service.passages.markup.tokens import MarkupError


def texts(source: str, markup="html") -> list[str]:
    return [unit.text for unit in parse(source, markup).units]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('<p translate="no">Keep me.</p><p>Translate me.</p>', ["Translate me."]),
        ("<p class='a notranslate b'>Keep</p><p>Go", ["Go"]),
        ("<p translate=no>Keep<p>Go", ["Go"]),  # the next paragraph ends the first
        ("<div translate=no>Keep <p translate=yes>this</p> not</div>", ["this"]),
        ("<ul><li>One<li>Two <em>dogs</em></ul>", ["One", "Two dogs"]),
        ("<table><tr><td>a<td>b</table>", ["a", "b"]),
        ("one<br>two", ["one", "two"]),
        ("<pre>int x;</pre><script>if (a<b) </script><style>p{}</style><textarea>t</textarea>x", ["x"]),
        ("<title>A &amp; B</title>", ["A & B"]),
        ("<p>Hello\n   big\tworld </p>", ["Hello big world"]),
        ("a<b> c</b>", ["a c"]),
        ("a <b> c</b>", ["a c"]),
        ("5 < 6 & 7 &lt 8", ["5 < 6 & 7 < 8"]),
        ("<!-- c --> <b></b> &nbsp;", []),
        ("</p>x</b></i>y<b", ["xy"]),
        ("<b>x<p>y</b>z</p>", ["x", "yz"]),
        ("<svg><text>no</text></svg> yes", ["yes"]),
        ("<a title=t>x</a>", ["t", "x"]),
        ("x<sup>1</sup> y<sup class=r><a href=#n>[12]</a></sup> z<sup>and so</sup>", ["x y zand so"]),
        ("x &unknown; y &notit; &amp;z;", ["x y \xacit; &z;"]),
        ('<meta name="description" content="d"><meta name=x content=e>', ["d"]),
        ("<img alt='' title=' '>", []),
        ("<input placeholder='Your name' value=v><b aria-label=l>x</b>", ["Your name", "l", "x"]),
        ("<span translate=no title=t>x</span> y", ["x y"]),
    ],
)
def test_html(source, expected):
    assert texts(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<doc><p>Hello <b>x <i>y</i></b></p> <q><z>One</z></q></doc>", ["Hello x y", "One"]),
        ("<ph>Tea</ph> for two", ["Tea for two"]),
        ("<?xml version='1.0'?>\n<!DOCTYPE a [<!ENTITY e 'x'>]>\n<a>Hi &e; &nbsp; you</a>\n", ["Hi \u00a0 you"]),
        ("<a its:translate='no' xmlns:its='u'>Keep</a>", []),
        ("<a>x <![CDATA[a < b]]> y</a>", ["x a < b y"]),
        ("<!-- <!DOCTYPE --><a>x</a>", ["x"]),
    ],
)
def test_xml(source, expected):
    assert texts(source, "xml") == expected


def test_code_is_protected():
    (unit,) = parse("Run <code>ls  -l</code> if R&amp;D &lt; 5", "html").units
    assert [unit.text[slice(*span)] for span in unit.protected] == ["ls -l"]


@pytest.mark.parametrize(
    "source", ["<a><b></a>", "<a b=1/>", "a & b", "\0", "<a>\ud800</a>", "</regard-fragment>", "<a"]
)
def test_xml_with_faults_is_refused_with_their_place(source):
    with pytest.raises(MarkupError, match=r"line 1, column \d+|character 3|byte 0"):
        parse(source, "xml")


LAUGHS = "".join(f"<!ENTITY l{n + 1} '{f'&l{n};' * 10}'>" for n in range(9))


def test_entities_are_not_expanded():
    source = f"<!DOCTYPE a [<!ENTITY l0 'lol'>{LAUGHS}]><a>hi &l9; there</a>"
    assert texts(source, "xml") == ["hi there"]
    with pytest.raises(MarkupError, match="amplification"):
        parse(source.replace("<a>", "<a b='&l9;'>"), "xml")


def test_external_entities_are_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret words")
    for kind in ("", "% "):
        source = (
            f"<!DOCTYPE a [<!ENTITY {kind}e SYSTEM '{secret.as_uri()}'>{'%e;' if kind else ''}]><a>hi &e; there</a>"
        )
        assert texts(source, "xml") == ["hi there"]


@pytest.mark.parametrize("markup", ["html", "xml"])
def test_deep_nesting_and_many_attributes_are_read(markup):
    deep = "<b>" * 100_000 + "x y" + "</b>" * 100_000
    assert texts(deep, markup) == ["x y"]
    wide = "<p " + " ".join(f"a{n}='1'" for n in range(100_000)) + ">x</p>"
    assert texts(wide, markup) == ["x"]
