"""Requests to translate texts, as requests of the API."""

import pytest

from regard.v1 import regard_pb2 as pb
from regard_service.domain.elements import NO_RULES, ElementRules
from regard_service.errors import FieldViolation, InvalidInput
from regard_service.http.doors.deepl.parameters import Parameters
from regard_service.http.doors.deepl.translations import read_texts, with_own_names
from regard_service.http.doors.fields import Fields


def read(**values: object) -> pb.TranslateRequest:
    return read_texts(Parameters.of(Fields({"text": ["a"], "target_lang": "DE"} | values))).message


def elements(**values: object) -> ElementRules:
    return read_texts(Parameters.of(Fields({"text": ["a"], "target_lang": "DE"} | values))).elements


def test_the_least_request() -> None:
    expected = pb.TranslateRequest(texts=["a"], source_language="auto", target_language="DE")
    assert read() == expected
    assert read(text="a", formality="prefer_less", context="of a letter", preserve_formatting=True) == expected


def test_what_has_no_effect_is_told() -> None:
    request = read_texts(Parameters.of(Fields({"text": "a", "target_lang": "DE", "context": "c"})))
    assert request.unused == ("context",)


def test_sentences_and_line_breaks() -> None:
    text = "One \r\n two.\nThree"
    assert read(text=text, split_sentences="1").texts == [text]
    assert read(text=text, split_sentences="nonewlines").texts == ["One two. Three"]
    assert read(text=text, split_sentences="nonewlines", tag_handling="html").texts == [text]
    assert read(text=" a \n\n \r b ", split_sentences="nonewlines").texts == [" a b "]
    many = "a" + " " * 1_000_000 + "b"  # takes hours where time grows with the square
    assert read(text=many, split_sentences="nonewlines").texts == [many]
    assert read(split_sentences="0").text_options.unit == pb.UNIT_WHOLE


def test_tags() -> None:
    message = read(text=["<x>b</x>", "<d>a <x>b</x></d>"], tag_handling="xml", ignore_tags=["x"])
    assert message.text_options.format == pb.FORMAT_XML
    assert read(tag_handling="html").text_options.format == pb.FORMAT_HTML


def test_what_is_said_about_tags() -> None:
    assert elements(tag_handling="xml", ignore_tags=["X"]) == ElementRules(ignored=frozenset({"X"}))
    assert elements(tag_handling="html", ignore_tags="X, y") == ElementRules(ignored=frozenset({"x", "y"}))
    assert elements(
        tag_handling="xml", splitting_tags="a,b", non_splitting_tags=["c"], outline_detection="0"
    ) == ElementRules(splitting=frozenset({"a", "b"}), non_splitting=frozenset({"c"}), has_outline=False)
    assert elements(outline_detection=True, ignore_tags=[], splitting_tags="") == NO_RULES


def test_the_type_of_model_is_how_it_searches() -> None:
    assert not read().HasField("generation")
    assert read(model_type="latency_optimized").generation.num_beams == 1
    assert read(model_type="prefer_quality_optimized").generation.num_beams == 4


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"text": []}, "text", "is missing"),
        ({"text": ["a"] * 51}, "text", "holds 51 texts; the limit is 50"),
        ({"target_lang": ""}, "target_lang", "is missing"),
        ({"formality": "more"}, "formality", "is not supported"),
        ({"formality": "rude"}, "formality", 'it is "rude"'),
        ({"glossary_id": "x"}, "source_lang", "is missing; glossary_id needs it"),
        ({"glossary_id": "x", "source_lang": "EN", "glossary_ids": ["y"]}, "glossary_ids", "beside glossary_id"),
        ({"glossary_ids": list("abcdef"), "source_lang": "EN"}, "glossary_ids", "holds 6 glossaries; the limit is 5"),
        ({"style_id": "x"}, "style_id", "style rule"),
        ({"translation_memory_id": "x"}, "translation_memory_id", "translation memory"),
        ({"custom_instructions": ["Be brief."]}, "custom_instructions", "no instructions"),
        ({"split_sentences": "2"}, "split_sentences", "0, 1 or nonewlines"),
        ({"tag_handling": "md"}, "tag_handling", "xml or html"),
        ({"ignore_tags": "x"}, "ignore_tags", "needs tag_handling"),
        ({"tag_handling": "xml", "ignore_tags": ["x", "<y>"]}, "ignore_tags", '"<y>" is no name of an element'),
        (
            {"tag_handling": "xml", "splitting_tags": ",".join(f"t{number}" for number in range(1001))},
            "splitting_tags",
            "names 1001 elements; the limit is 1000",
        ),
        ({"tag_handling": "html", "splitting_tags": "x,p q"}, "splitting_tags", '"p q" is no name of an element'),
        ({"outline_detection": False}, "outline_detection", "needs tag_handling"),
        ({"outline_detection": "0", "tag_handling": "html"}, "outline_detection", 'tag_handling "xml"'),
        (
            {"tag_handling": "xml", "splitting_tags": "a,b,c", "non_splitting_tags": "c,b"},
            "non_splitting_tags",
            "names b, c, as splitting_tags does",
        ),
        ({"beta": 1}, "beta", "is not a parameter"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(values: dict[str, object], field: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(**values)
    assert [violation.field for violation in caught.value.violations] == [field]
    assert words in str(caught.value)


def test_errors_of_the_api_name_deepls_parameters() -> None:
    names = ["texts[3]", "text_options.format", "generation.num_beams", "glossaries[0]", "target_language", "priority"]
    error = with_own_names(InvalidInput([FieldViolation(name, "x") for name in names]), ("one",))
    assert [each.field for each in error.violations] == [
        "text[3]",
        "tag_handling",
        "model_type",
        "glossary_id",
        "target_lang",
        "priority",
    ]
