"""Markup through a real server with the shipped translator: what stays, what is translated, what is refused."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest

import regard
from regard_service.app.settings import Settings
from tests.integration.conftest import running

PAGES = [
    '<p>The <b>red</b> car is <a href="https://example.com/a?b=1&amp;c=2">fast</a>.</p><p>I like it.</p>',
    "<ul class=x>\n  <li>One <em>apple</em>\n  <li>Two big <i>dogs <b>and</b> cats</i>\n</ul>\n<!-- the end -->",
    "<h1>My house</h1><p>I live <br>here. <img src='a.png'> You <u>do not</u> live here.</p><script>a < b</script>",
    "<table><tr><td>He has <x id=1/> two dogs.<td>She has one.</table>",
]


@pytest.fixture(scope="module")
def client() -> Iterator[regard.Client]:
    with (
        running(Settings(grpc_port=0, http_port=0)) as server,
        regard.Client(f"127.0.0.1:{server.grpc_port}") as client,
    ):
        yield client


def markup(text: str) -> Counter[str]:
    return Counter(re.findall(r"<!--.*?-->|<script>.*?</script>|</?[a-z][^>]*>", text))


@pytest.mark.parametrize("to", ["de", "fr", "es"])
@pytest.mark.parametrize("page", PAGES)
def test_each_tag_is_there_once_and_as_it_was(client, page, to):
    output = client.translate(page, to, format="html").text
    assert markup(output) == markup(page)
    assert output != page


def test_entities_are_neither_doubled_nor_lost(client):
    output = client.translate("The price is 5 &lt; 6 &amp; true.", "de", format="html").text
    assert (output.count("&lt;"), output.count("&amp;"), output.count("&")) == (1, 1, 2)
    assert "<" not in output


def test_what_is_not_to_be_translated_stays(client):
    page = '<p translate="no">Keep me.</p><p>Translate me.</p><pre>Keep  me</pre>'
    output = client.translate(page, "de", format="html").text
    assert output.startswith('<p translate="no">Keep me.</p><p>')
    assert output.endswith("</p><pre>Keep  me</pre>")
    assert "Translate me." not in output


def test_an_attribute_is_translated_in_its_quotes(client):
    output = client.translate("<p>I see <img alt='A red car' src=red> here.</p>", "de", format="html").text
    (alt,) = re.findall(r"<img alt='([^']*)' src=red>", output)
    assert alt not in ("", "A red car")


def test_a_token_of_the_output_stands_where_its_span_says(client):
    result = client.translate("<p>I like R&amp;D <b>very</b> much.</p>", "de", format="html")
    spans = [(token.span.start, token.span.end) for token in result.best.tokens if token.span is not None]
    parts = [result.text[start:end] for start, end in spans]
    assert spans == sorted(spans)
    assert "R&amp;D" in parts
    assert not any("<" in part for part in parts)


@pytest.mark.parametrize("source", ["<a><b>Hello</a></b>", "Tom & Jerry", "<a>Hello"])
def test_xml_that_is_not_well_formed_is_refused_with_its_place(client, source):
    with pytest.raises(regard.InvalidArgument, match=r"texts\[0\]: is not well-formed XML: line 1, column \d+"):
        client.translate(source, "de", format="xml")
