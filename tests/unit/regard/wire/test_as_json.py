"""Messages as JSON: the proto's names, defaults written, maps as nested lists."""

import json
from datetime import UTC, datetime

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from regard.v1 import regard_pb2 as pb
from regard.wire import as_json
from tests.integration.fake_regard import encode_map, result_of

REQUEST = pb.TranslateRequest(attention=pb.AttentionConfig(kinds=[pb.ATTENTION_KIND_ALIGNMENT]))


def test_a_result_has_every_field_of_the_proto() -> None:
    printed = as_json.to_dict(result_of("a b", REQUEST))
    assert set(printed) == set(pb.Result.DESCRIPTOR.fields_by_name)
    [hypothesis] = printed["hypotheses"]
    assert set(hypothesis) == set(pb.Hypothesis.DESCRIPTOR.fields_by_name)
    for token in hypothesis["tokens"]:
        assert set(token) == set(pb.TargetToken.DESCRIPTOR.fields_by_name)


def test_defaults_are_written_and_unset_fields_are_null() -> None:
    printed = as_json.to_dict(result_of("a b", REQUEST))
    assert printed["truncated"] is False
    assert printed["num_truncated_tokens"] == 0
    assert printed["source_words"] == []
    assert printed["image_grid"] is None
    assert printed["source_tokens"][0]["special"] is False
    assert printed["source_tokens"][-1]["span"] is None
    assert printed["hypotheses"][0]["tokens"][0]["copied_from"] is None


def test_links_and_spans_are_objects_and_enums_are_names() -> None:
    printed = as_json.to_dict(result_of("a b", REQUEST))
    [hypothesis] = printed["hypotheses"]
    assert hypothesis["links"] == [{"source": 0, "target": 1}]
    assert hypothesis["tokens"][0]["span"] == {"start": 0, "end": 1}
    assert hypothesis["finish_reason"] == "FINISH_REASON_END"
    assert hypothesis["attention"][0]["kind"] == "ATTENTION_KIND_ALIGNMENT"
    assert hypothesis["score"] == -0.25


def test_the_alignment_is_a_nested_list_whose_rows_sum_to_one() -> None:
    printed = as_json.to_dict(result_of("a b c", REQUEST))
    [hypothesis] = printed["hypotheses"]
    [alignment] = hypothesis["attention"]
    rows = alignment["data"]
    assert alignment["shape"] == [len(rows), len(rows[0])] == [len(hypothesis["tokens"]), len(printed["source_tokens"])]
    np.testing.assert_allclose(np.sum(rows, axis=1), 1, atol=1e-6)
    assert "indices" not in alignment


def test_sparse_maps_are_written_dense() -> None:
    values = np.array([[[0.5, 0.25, 0.125]]])
    printed = as_json.to_dict(encode_map(values, pb.ENCODING_FLOAT16, top_k=2))
    assert printed["data"] == [[[0.5, 0.25, 0.0]]]
    assert printed["top_k"] == 2


def test_numbers_are_the_shortest_decimals_of_their_float32() -> None:
    weight = np.float32(0.1)
    assert as_json.dump(as_json.to_dict(encode_map(np.array([[weight]])))["data"]) == "[[0.1]]"
    assert as_json.to_dict(pb.Timings(queue_ms=1.1))["queue_ms"] == 1.1


def test_infinities_and_nan_are_strings() -> None:
    printed = as_json.to_dict(pb.Hypothesis(score=float("-inf"), entropy=[float("nan"), float("inf")]))
    assert printed["score"] == "-Infinity"
    assert printed["entropy"] == ["NaN", "Infinity"]


def test_a_model_has_its_scores_time_and_sizes() -> None:
    time = Timestamp()
    time.FromDatetime(datetime(2026, 11, 22, tzinfo=UTC))
    model = pb.Model(
        size_bytes=2**40,
        scores={"bleu": 38.5},
        provenance=pb.Provenance(export_time=time),
        generation_defaults=pb.GenerationConfig(num_beams=4),
    )
    printed = as_json.to_dict(model)
    assert printed["size_bytes"] == 2**40
    assert printed["scores"] == {"bleu": 38.5}
    assert printed["provenance"]["export_time"] == "2026-11-22T00:00:00Z"
    assert printed["generation_defaults"]["num_beams"] == 4
    assert printed["generation_defaults"]["top_k"] is None


def test_an_event_has_only_the_key_of_its_kind() -> None:
    event = pb.StreamTranslateResponse(token=pb.TokenEvent(index=1))
    assert list(as_json.to_dict(event)) == ["token"]


def test_json_is_one_line_and_letters_are_not_escaped() -> None:
    line = as_json.to_json(pb.Hypothesis(text="Bücher\n本"))
    assert "Bücher\\n本" in line
    assert "\n" not in line
    assert json.loads(line)["text"] == "Bücher\n本"
    assert as_json.dump({"file": "\udcff"}) == '{"file": "\\udcff"}'
