"""Parameters of `generate` become ours, or are refused by their own names."""

from typing import Any

import pytest

from regard_service.errors import InvalidInput
from regard_service.http.doors.hugging_face.generation import Parameters


def read(**parameters: Any) -> Parameters:
    return Parameters(parameters, has_languages=True, has_truncation=True)


@pytest.mark.parametrize(
    ("given", "generation"),
    [
        ({"num_beams": 3, "length_penalty": 0.5}, {"num_beams": 3, "length_penalty": 0.5}),
        ({"max_length": 21, "min_length": 6}, {"max_new_tokens": 20, "min_new_tokens": 5}),
        ({"min_length": 0}, {"min_new_tokens": 0}),
        ({"max_length": 21, "max_new_tokens": 9}, {"max_new_tokens": 9}),
        ({"do_sample": False}, {"temperature": 0.0}),
        ({"do_sample": False, "temperature": 0.7}, {"temperature": 0.0}),
        ({"do_sample": True}, {"temperature": 1.0}),
        ({"do_sample": True, "temperature": 0.7}, {"temperature": 0.7}),
        ({"early_stopping": True}, {"early_stopping": "first"}),
        ({"early_stopping": False}, {"early_stopping": "heuristic"}),
        ({"early_stopping": "never"}, {"early_stopping": "never"}),
        ({"use_cache": True, "num_beams": None}, None),
    ],
)
def test_parameters_of_generate(given: dict[str, Any], generation: dict[str, Any] | None) -> None:
    for parameters in (given, {"generate_parameters": given}, {"generation_parameters": given}):
        assert read(**parameters).fields.get("generation") == generation


def test_languages_and_truncation() -> None:
    parameters = read(src_lang="en", tgt_lang="de", truncation="only_first")
    assert parameters.fields == {"source_language": "en", "target_language": "de", "truncation": "truncate"}
    assert parameters.paths["target_language"] == "parameters.tgt_lang"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"foo": 1}, "parameters.foo"),
        ({"clean_up_tokenization_spaces": True}, "parameters.clean_up_tokenization_spaces"),
        ({"generate_parameters": {"typical_p": 0.5}}, "parameters.generate_parameters.typical_p"),
        ({"generate_parameters": 3}, "parameters.generate_parameters"),
        ({"generate_parameters": {"num_beams": 2}, "num_beams": 3}, "parameters.num_beams"),
        ({"truncation": "only_second"}, "parameters.truncation"),
        ({"early_stopping": 1}, "parameters.early_stopping"),
        ({"do_sample": "yes"}, "parameters.do_sample"),
        ({"max_length": "long"}, "parameters.max_length"),
        ({"max_length": True}, "parameters.max_length"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(given: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read(**given)
    assert [violation.field for violation in error.value.violations] == [path]


def test_a_summary_has_no_languages() -> None:
    with pytest.raises(InvalidInput, match=r"parameters\.tgt_lang"):
        Parameters({"tgt_lang": "de"}, has_languages=False, has_truncation=True)
