"""Requests from Python arguments; tests/integration/test_client.py sends them."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regard.calls import mapping, requests
from regard.calls.channel import deadline
from regard.calls.documents import translate_document
from regard.errors import InvalidArgument
from regard.v1 import regard_pb2 as pb


def test_an_enums_short_name_becomes_its_number() -> None:
    request = requests.translate(["x"], "de", {"truncation": "split_and_join", "priority": "bulk"})
    assert (request.truncation, request.priority) == (pb.TRUNCATION_SPLIT_AND_JOIN, pb.PRIORITY_BULK)
    assert requests.list_models("captioning").task == pb.TASK_CAPTIONING


def test_an_unknown_short_name_is_a_violation_that_lists_the_known_ones() -> None:
    with pytest.raises(InvalidArgument) as caught:
        requests.translate(["x"], "de", {"truncation": "split"})  # type: ignore[typeddict-item]
    [violation] = caught.value.violations
    assert violation.field == "truncation"
    assert violation.description == "'split' is none of reject, truncate, split_and_join"


def test_a_deadline_is_the_calls_timeout_or_else_the_clients() -> None:
    assert [deadline(timeout, 60.0) for timeout in (None, 1.5, 1e10, 1e300, math.inf)] == [60.0, 1.5, None, None, None]


@pytest.mark.parametrize(
    ("options", "field", "description"),
    [
        ({"num_beams": "4"}, "generation.num_beams", "must be a whole number; it is of type str"),
        ({"num_beams": 2.5}, "generation.num_beams", "must be a whole number; it is of type float"),
        ({"num_beams": True}, "generation.num_beams", "must be a whole number; it is of type bool"),
        ({"seed": 2**70}, "generation.seed", f"must be in [{-(2**63)}, {2**63 - 1}]; it is {2**70}"),
        ({"top_p": "much"}, "generation.top_p", "must be a number; it is of type str"),
        ({"model": 5}, "model", "must be a text; it is of type int"),
        ({"attention": True, "layers": 3}, "attention.layers", "must be a list; it is of type int"),
        ({"attention": True, "heads": [0, "x"]}, "attention.heads[1]", "must be a whole number; it is of type str"),
    ],
)
def test_a_value_of_another_type_is_a_violation_in_our_words(
    options: dict[str, object], field: str, description: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        requests.translate(["x"], "de", options)  # type: ignore[arg-type]
    assert [(each.field, each.description) for each in caught.value.violations] == [(field, description)]


def test_options_of_maps_stay_where_attention_is_switched_off_by_name() -> None:
    request = requests.translate(["x"], "de", {"attention": False, "layers": [0], "encoding": "uint8"})
    assert not request.HasField("attention")


def test_an_unknown_option_is_an_error_that_names_the_one_that_was_meant() -> None:
    with pytest.raises(TypeError, match=r"there is no option 'num_beam'; did you mean 'num_beams'\?"):
        requests.translate(["x"], "de", {"num_beam": 2})  # type: ignore[typeddict-unknown-key]
    assert requests.translate(["x"], "de", {"beams": 2}).generation.num_beams == 2  # type: ignore[typeddict-unknown-key]


def test_numbers_and_texts_of_numpy_are_values_like_any_other() -> None:
    options: Any = {"num_beams": np.int64(3), "length_penalty": np.float32(0.5), "layers": np.arange(2)}
    request = requests.translate([np.str_("x")], "de", options | {"attention": True})
    assert (request.generation.num_beams, request.generation.length_penalty) == (3, 0.5)
    assert list(request.attention.layers) == [0, 1]


def test_several_texts_may_come_from_anywhere() -> None:
    assert requests.as_list(text for text in ("a", "b")) == (False, ["a", "b"])
    assert requests.as_list("a") == (True, ["a"])
    for wrong in (5, None, b"bytes", {"a": "x"}):
        with pytest.raises(TypeError, match="texts must be a text, or a list of texts; it is of type"):
            requests.as_list(wrong)


class Table:
    """What iterates over the names of its columns, as a data frame does."""

    columns = ("text", "label")

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (Path("a.txt"), "texts must be texts, not files; translate_document takes the file 'a.txt'"),
        (bytearray(b"a"), "it is of type bytearray"),
        (np.array("a text"), "it is of type ndarray"),
        (Table(), "it is a table, of type Table: pass one of its columns"),
    ],
)
def test_what_iterates_over_other_things_than_texts_is_refused(texts: object, reason: str) -> None:
    with pytest.raises(TypeError) as refused:
        requests.as_list(texts)
    assert reason in str(refused.value)
    if not isinstance(texts, Path):
        with pytest.raises(TypeError, match="map takes a list of inputs"):
            mapping.batches_of(texts, 2)  # type: ignore[arg-type]


def test_pairs_are_rows_of_any_kind() -> None:
    for pairs in ([("a", "b")], [["a", "b"]], np.array([["a", "b"]]), zip("a", "b", strict=True)):
        request = requests.score(requests.as_pairs(pairs)[1], "de", {})
        assert [(pair.source, pair.target) for pair in request.pairs] == [("a", "b")]
    with pytest.raises(TypeError, match=r"pairs must be a tuple \(source, target\), or a list .*; it is of type dict"):
        requests.as_pairs({"a": "b"})


@pytest.mark.parametrize(
    ("options", "field", "description"),
    [
        ({"terms": 5}, "terms", "a list of pairs or Terms; it is of type int"),
        ({"terms": "dog=Hund"}, "terms", "it is of type str"),
        ({"terms": [5]}, "terms[0]", "must be a source and a target, or a Term"),
        ({"target_prefix": 3}, "target_prefix", "must be a text, or a list with one for each text; it is of type int"),
        ({"attention": 5}, "attention", "must be True, a kind of map or several kinds; it is of type int"),
        (
            {"protected_patterns": np.array("a")},
            "text_options.protected_patterns",
            "must be a list; it is of type ndarray",
        ),
    ],
)
def test_one_value_in_place_of_several_is_a_violation(options: dict[str, Any], field: str, description: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        requests.translate(["x"], "de", options)  # type: ignore[arg-type]
    [violation] = caught.value.violations
    assert violation.field == field
    assert description in violation.description


def test_kinds_of_an_alignment_are_checked_as_those_of_a_translation() -> None:
    with pytest.raises(InvalidArgument, match="attention: must be True, a kind of map or several kinds"):
        requests.align([("a", "b")], "de", {"attention": 5})  # type: ignore[typeddict-item]
    request = requests.align([("a", "b")], "de", {"attention": ["cross", "alignment"]})
    assert list(request.attention.kinds) == [pb.ATTENTION_KIND_ALIGNMENT, pb.ATTENTION_KIND_CROSS]


@pytest.mark.parametrize(
    ("option", "meant"),
    [("beam_size", "num_beams"), ("n_best", "num_return_sequences"), ("do_sample", "temperature"), ("tgt_lang", "to")],
)
def test_what_other_libraries_call_an_option_is_known(option: str, meant: str) -> None:
    with pytest.raises(TypeError, match=f"there is no option '{option}'; did you mean '{meant}'?"):
        requests.translate(["x"], "de", {option: 2})  # type: ignore[misc]


@pytest.mark.parametrize("document", [None, 3, ["a.txt"]])
def test_a_document_is_a_path_or_bytes(document: Any) -> None:
    with pytest.raises(TypeError, match="document must be a file's path or its bytes; it is of type"):
        translate_document(document, "de", {})


def test_a_text_is_no_timeout() -> None:
    for wrong in ("5", math.nan):
        with pytest.raises(TypeError, match="timeout must be a number of seconds"):
            deadline(wrong, 60.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "field", "description"),
    [
        ({"attention": 1}, "attention", "must be True, a kind of map or several kinds; it is of type int"),
        ({"attention": {"kinds": []}}, "attention", "must be True, a kind of map or several kinds; it is of type dict"),
        (
            {"attention": "aligment"},
            "attention.kinds[0]",
            "'aligment' is none of cross, alignment, encoder_self, decoder_self, rollout, channel, spatial; "
            "did you mean 'alignment'?",
        ),
        ({"attention": True, "words": "yes"}, "words", "must be True or False; it is of type str"),
        ({"layers": [0]}, "layers", "has no effect without attention, which names the maps; True is the alignment"),
        (
            {"encoding": "uint8"},
            "encoding",
            "has no effect without attention, which names the maps; True is the alignment",
        ),
        ({"protected_spans": 5}, "text_options.protected_spans", "must be a list; it is of type int"),
        (
            {"protected_spans": [(0, 1, 2), (0, 1)]},
            "text_options.protected_spans[1]",
            "must be (index of the text, start, end), three whole numbers; it is (0, 1)",
        ),
        (
            {"protected_spans": [("a", 1, 2)]},
            "text_options.protected_spans[0]",
            "must be (index of the text, start, end), three whole numbers; it is ('a', 1, 2)",
        ),
        ({"protected_patterns": "[A-Z]"}, "text_options.protected_patterns", "must be a list; it is of type str"),
    ],
)
def test_a_slip_in_an_option_is_a_violation(options: dict[str, object], field: str, description: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        requests.translate(["x"], "de", options)  # type: ignore[arg-type]
    assert [(each.field, each.description) for each in caught.value.violations] == [(field, description)]


@pytest.mark.parametrize(
    ("options", "field", "description"),
    [
        (
            {"explain": ["random", "oclusion"]},
            "explain.evidence[1]",
            "'oclusion' is none of rollout, value_norm, contribution, occlusion, random, alignment; "
            "did you mean 'occlusion'?",
        ),
        (
            {"explain": ""},
            "explain.evidence[0]",
            "'' is none of rollout, value_norm, contribution, occlusion, random, alignment",
        ),
        ({"explain": 5}, "explain.evidence", "must be a list; it is of type int"),
        ({"explain": "random", "explain_label": 5}, "explain.label", "must be a text; it is of type int"),
        (
            {"explain": "random", "explain_label": "\ud800"},
            "explain.label",
            "is not valid Unicode: a lone surrogate at position 0",
        ),
    ],
)
def test_a_slip_in_what_explains_is_a_violation(options: Any, field: str, description: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        requests.classify(["x"], None, options)
    assert [(each.field, each.description) for each in caught.value.violations] == [(field, description)]


def test_a_label_to_explain_is_sent_without_evidence_too() -> None:
    assert requests.classify(["x"], None, {"explain_label": ""}).HasField("explain")
    assert not requests.classify(["x"], None, {"explain": [], "labels": ["y"]}).HasField("explain")


@pytest.mark.parametrize(
    ("option", "advice"),
    [
        ("target_language", "did you mean 'to'?"),
        ("max_tokens", "did you mean 'max_new_tokens'?"),
        ("attentio", "did you mean 'attention'?"),
        ("xyzzy", "there are alignment_method, attention, "),
    ],
)
def test_an_unknown_option_names_the_one_that_other_libraries_call_so(option: str, advice: str) -> None:
    with pytest.raises(TypeError) as caught:
        requests.translate(["x"], "de", {option: 1})  # type: ignore[misc]
    assert advice in str(caught.value)


def test_a_call_has_only_the_options_of_its_request() -> None:
    with pytest.raises(TypeError, match="there is no option 'raw'; there are "):
        requests.summarize(["x"], None, {"raw": True})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(TypeError, match="there is no option 'truncation'"):
        requests.caption([b"x"], {"truncation": "reject"})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(TypeError, match="'beams' and 'num_beams' are the same option"):
        requests.translate(["x"], "de", {"beams": 2, "num_beams": 3})  # type: ignore[typeddict-unknown-key]


def test_enums_take_the_names_of_the_proto_too() -> None:
    options: Any = {"attention": "ATTENTION_KIND_CROSS", "priority": "Bulk"}
    request = requests.translate(["x"], "de", options)
    assert list(request.attention.kinds) == [pb.ATTENTION_KIND_CROSS]
    assert request.priority == pb.PRIORITY_BULK


def test_a_models_version_may_stand_behind_its_name() -> None:
    assert requests.load_model("everyday@2", None) == pb.LoadModelRequest(name="everyday", version="2")
    assert requests.get_model("everyday", "3") == pb.GetModelRequest(name="everyday", version="3")
    assert requests.unload_model("everyday", None) == pb.UnloadModelRequest(name="everyday")
