"""The reference of the JSON API as a page."""

import re

from regard_service.http.docs_page import page
from regard_service.http.openapi import document


def test_every_operation_schema_and_field_is_on_the_page_and_every_link_leads_somewhere() -> None:
    described = document("1")
    text = page(described)
    anchors = set(re.findall(r'id="([^"]+)"', text))
    operations = {each["operationId"] for verbs in described["paths"].values() for each in verbs.values()}
    assert operations | set(described["components"]["schemas"]) <= anchors
    assert set(re.findall(r'href="#([^"]+)"', text)) <= anchors
    for schema in described["components"]["schemas"].values():
        assert all(f"<code>{field}</code>" in text for field in schema.get("properties", {}))


def test_bounds_and_examples_are_shown_and_nothing_is_loaded_from_elsewhere() -> None:
    text = page(document("1"))
    assert "<td>integer, from 1, to 16</td>" in text
    assert "curl localhost:8080/v1/translate -H" in text
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)
    assert "<script" not in text


def test_comments_are_text_and_never_markup() -> None:
    described = document("1")
    described["components"]["schemas"]["Problem"]["description"] = "a <b> & `<hl>`"
    assert "<p>a &lt;b&gt; &amp; <code>&lt;hl&gt;</code></p>" in page(described)
