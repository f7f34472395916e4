"""JSON of strings: values are translated; keys, order, spaces and all else stay."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.documents.formats import open_document
from regard_service.errors import InvalidInput
from tests.unit.service.documents.translators import copied, shouted, texts, written

FILE = r"""{
  "title": "Hello \"you\", {name} & {{count}}",
    "n": 3.5e3, "on": true, "none": null, "code": "42",
  "list": [ "one\nthing", ["deep"], {"title": "x y"} ],
  "empty": "", "title": "again"
}
"""


def test_values_are_translated_and_nothing_else() -> None:
    document = open_document(FILE.encode(), "json")
    assert [(unit.text, unit.id) for unit in document.units] == [
        ('Hello "you", {name} & {{count}}', "title"),
        ("one\nthing", "list.0"),
        ("deep", "list.1.0"),
        ("x y", "list.2.title"),
        ("again", "title"),
    ]
    assert document.write(copied(document)).data == FILE.encode()
    assert written(document, ['Hallo "du", {name} & {{count}}', "ein\nDing", None, "ü\u2028", "noch"]) == (
        FILE.replace(r"Hello \"you\"", r"Hallo \"du\"").replace(r"one\nthing", r"ein\nDing").replace("x y", "ü\u2028")
    ).replace("again", "noch")


@pytest.mark.parametrize("source", ['{"a": "caf\\u00e9"}', '{"a": "café"}'])
def test_escapes_are_written_as_the_file_writes_them(source: str) -> None:
    found = written(open_document(source.encode(), "json"), ["thé"])
    assert found == source.replace("caf\\u00e9", "th\\u00e9").replace("café", "thé")


def test_a_byte_order_mark_and_utf16_stay() -> None:
    data = '{"a": "Hello"}'.encode("utf-16")
    assert open_document(data, "json").write(["Hallo"]).data == '{"a": "Hallo"}'.encode("utf-16")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["{n, plural, other {# x}}", "a"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.sampled_from([None, 2, "\t"]), st.booleans())
def test_a_copied_file_is_the_file(value: object, indent: int | str | None, ascii_only: bool) -> None:
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    document = open_document(data, "json")
    assert document.write(copied(document)).data == data


@given(JSON)
def test_what_is_written_is_json_of_the_same_shape(value: object) -> None:
    def shape(value: object) -> object:
        if isinstance(value, dict):
            return {key: shape(each) for key, each in value.items()}
        return [shape(each) for each in value] if isinstance(value, list) else type(value)

    document = open_document(json.dumps(value).encode(), "json")
    assert shape(json.loads(document.write(shouted(document)).data)) == shape(json.loads(json.dumps(value)))


ICU = (
    "You have {n, plural, offset:1 =0 {no mail} one {# mail in {box}} other {{n, number, integer} mails}}, "
    "it''s {d, date}."
)


def test_the_branches_of_icu_messages_are_translated() -> None:
    source = json.dumps({"a": ICU, "b": "It's {name}"})
    document = open_document(source.encode(), "json")
    assert [(unit.text, unit.id) for unit in document.units] == [
        ("You have", "a"),
        ("no mail", "a =0"),
        ("{n} mail in {box}", "a one"),
        ("mails", "a other"),
        (', it\'s <img id="109"/>.', "a"),
        ("It's {name}", "b"),
    ]
    found = document.write(["Tu as", "rien", "{n} lettre dans {box}", "l'envoi", 'c\'est <img id="109"/>', "L'{name}"])
    assert json.loads(found.data) == {
        "a": "Tu as {n, plural, offset:1 =0 {rien} one {# lettre dans {box}} other {{n, number, integer} l'envoi}}"
        "c'est {d, date}",
        "b": "L''{name}",
    }


@pytest.mark.parametrize("translation", ["nichts", "{anderes} {n}", "{n} {box} {box}", "{n} } {box}"])
def test_a_message_that_lacks_its_arguments_stays(translation: str) -> None:
    source = json.dumps({"a": "{n, plural, one {# mail in {box}} other {many}}"})
    found = open_document(source.encode(), "json").write([translation, "viele"])
    assert json.loads(found.data) == {"a": "{n, plural, one {# mail in {box}} other {viele}}"}
    assert found.faults[0].unit == 0


def test_application_resource_bundles() -> None:
    source = '{"@@locale": "en", "hi": "Hello", "@hi": {"description": "A greeting", "x": ["y"]}}'
    assert texts(open_document(source.encode(), "json")) == ["Hello"]


def test_messages_of_browser_extensions() -> None:
    source = (
        '{"hi": {"message": "Hello $USER$", "description": "A greeting", "placeholders": {"user": {"content": "$1"}}}}'
    )
    assert texts(open_document(source.encode(), "json")) == ["Hello $USER$"]


@pytest.mark.parametrize("source", ['{"a": ', "{'a': 1}", "[" * 100_000, '{"a": "b"} x'])
def test_what_is_not_json_is_refused(source: str) -> None:
    with pytest.raises(InvalidInput, match=r"^document: is not JSON: "):
        open_document(source.encode(), "json")
