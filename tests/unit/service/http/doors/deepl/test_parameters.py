"""Parameters: the same request as JSON, as a form and as a query."""

import pytest

from regard_service.errors import InvalidInput
from regard_service.http.doors.deepl.glossaries import read_monolingual, read_pair
from regard_service.http.doors.deepl.parameters import Parameters
from regard_service.http.doors.fields import Fields


def of_json(**values: object) -> Parameters:
    return Parameters.of(Fields(values))


def of_form(**values: list[str]) -> Parameters:
    return Parameters.of(Fields(values, is_form=True))


@pytest.mark.parametrize(
    "parameters",
    [
        of_json(text=["a", "b"], tags=["x", "y"], flag=True, name="n", kind="Xml", none=None),
        of_json(text=["a", "b"], tags="x, y", flag="1", name="n", kind="xml"),
        of_form(text=["a", "b"], tags=["x,y"], flag=["true"], name=["n"], kind=["XML"]),
    ],
)
def test_json_and_forms_say_the_same(parameters: Parameters) -> None:
    assert parameters.texts("text") == ["a", "b"]
    assert parameters.names("tags") == ["x", "y"]
    assert parameters.flag("flag") is True
    assert (parameters.text("name"), parameters.text("none")) == ("n", None)
    assert parameters.choice("kind", ("xml", "html")) == "xml"
    parameters.finish()


def test_items_of_a_form_are_those_of_json() -> None:
    given = of_json(dictionaries=[{"entries": "a"}, {"entries": "b"}])
    form = of_form(**{"dictionaries[1].entries": ["b"], "dictionaries[0].entries": ["a"]})
    for parameters in (given, form):
        assert [each.text("entries") for each in parameters.items("dictionaries")] == ["a", "b"]
        parameters.finish()


@pytest.mark.parametrize(
    ("parameters", "read", "field", "words"),
    [
        (of_json(name=3), lambda p: p.text("name"), "name", "must be one text; it is 3"),
        (of_json(name=3), lambda p: p.needed_text("name"), "name", "must be one text; it is 3"),
        (of_json(name=""), lambda p: p.needed_text("name"), "name", "is missing"),
        (of_form(name=["a", "b"]), lambda p: p.text("name"), "name", "must be one text"),
        (of_json(text=["a", 7]), lambda p: p.texts("text"), "text[1]", "must be a text; it is 7"),
        (of_json(flag="yes"), lambda p: p.flag("flag"), "flag", 'true, false, 1 or 0; it is "yes"'),
        (of_json(kind="rtf"), lambda p: p.choice("kind", ("xml", "html")), "kind", 'xml or html; it is "rtf"'),
        (of_json(items=[1]), lambda p: p.items("items"), "items[0]", "must be an object; it is 1"),
        (of_json(style=1), lambda p: p.refuse("style", "is not known"), "style", "is not known"),
        (of_json(typo=1), lambda p: None, "typo", "is not a parameter that this server knows"),
    ],
)
def test_what_is_wrong_is_named(parameters: Parameters, read: object, field: str, words: str) -> None:
    read(parameters)  # type: ignore[operator]
    with pytest.raises(InvalidInput) as caught:
        parameters.finish()
    assert [violation.field for violation in caught.value.violations] == [field]
    assert words in str(caught.value)


@pytest.mark.parametrize("value", [7, True, {}, ["a"]])
def test_a_bad_value_is_one_fault(value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_pair(of_json(source_lang=value, target_lang="de"), is_needed=True)
    assert [each.field for each in caught.value.violations] == ["source_lang"]
    with pytest.raises(InvalidInput) as caught:
        read_monolingual(of_json(name=value, source_lang=value, target_lang=value, entries=value))
    assert sorted(each.field for each in caught.value.violations) == ["entries", "name", "source_lang", "target_lang"]
    assert all(each.description.startswith("must be one text") for each in caught.value.violations)


def test_a_field_of_an_item_is_named_with_its_place() -> None:
    parameters = of_json(dictionaries=[{"entries": "a"}, {"entries": 1, "typo": 2}])
    for each in parameters.items("dictionaries"):
        each.text("entries")
        each.refuse_others()
    with pytest.raises(InvalidInput) as caught:
        parameters.finish()
    assert [violation.field for violation in caught.value.violations] == [
        "dictionaries[1].entries",
        "dictionaries[1].typo",
    ]
