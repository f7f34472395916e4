"""Results read from the client's JSON and from protobuf's equal the results that were written."""

import json

import numpy as np
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from regard.calls.results import Result
from regard.errors import BadResponse
from regard.v1 import regard_pb2 as pb
from regard.wire.from_json import read_result
from tests.integration.fake_regard import encode_map
from tests.unit.regard.sample_results import caption_result, text_result

NUMBERS = st.floats(0, 1, width=32)
ENCODINGS = st.sampled_from([pb.ENCODING_FLOAT32, pb.ENCODING_FLOAT16, pb.ENCODING_UINT8])


@st.composite
def results(draw: st.DrawFn) -> pb.Result:
    """Results of any text, with a map of any encoding, dense or sparse."""
    num_rows, num_columns = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    cells = draw(st.lists(NUMBERS, min_size=num_rows * num_columns, max_size=num_rows * num_columns, unique=True))
    values = np.array(cells, np.float32).reshape(num_rows, num_columns)
    top_k = draw(st.integers(0, num_columns))
    attention = encode_map(values, draw(ENCODINGS), top_k, kind=pb.ATTENTION_KIND_ALIGNMENT, layers=[1])
    text = draw(st.text(st.characters(exclude_categories=["Cs"])))
    hypothesis = pb.Hypothesis(
        text=text,
        tokens=[pb.TargetToken(id=3, piece=text, logprob=-draw(NUMBERS), span=pb.Span(start=0, end=len(text)))],
        score=-draw(NUMBERS),
        attention=[attention],
        entropy=draw(st.lists(NUMBERS, max_size=3)),
    )
    return pb.Result(hypotheses=[hypothesis], model="m", truncated=draw(st.booleans()))


@given(results())
def test_a_result_in_the_clients_json_is_read_back(message: pb.Result) -> None:
    result = Result.from_message(message)
    again = Result.from_json(result.to_json())
    np.testing.assert_array_equal(again.best.attention[0].values, result.best.attention[0].values)
    for each in (message, again.message):  # equal weights may be stored in any order
        for field in ("data", "indices"):
            each.hypotheses[0].attention[0].ClearField(field)
    assert again.message == message


@given(results())
def test_a_result_in_protobufs_json_is_read_back(message: pb.Result) -> None:
    written = json_format.MessageToJson(message, preserving_proto_field_name=True)
    assert read_result(written) == message


def test_every_kind_of_map_is_read_back() -> None:
    result = text_result(["a", "b"], ["c"], num_hypotheses=2)
    assert Result.from_json(result.to_dict()) == result
    assert Result.from_json(result.to_json()).message == result.message
    caption = caption_result(["a"], pb.ImageGrid(rows=2, columns=2, image_width=4, image_height=4))
    assert Result.from_json(caption.to_json()).message == caption.message


def test_unknown_fields_are_ignored() -> None:
    value = text_result(["a"], ["b"]).to_dict() | {"colour": "blue"}
    assert Result.from_json(value).text == "b"


@pytest.mark.parametrize(
    "saved",
    [
        "",
        "[]",
        "{}",
        '{"hypotheses": []}',
        '{"hypotheses": [{"text": 3}]}',
        '{"hypotheses": [{"attention": [{"shape": [2], "data": [[0.5]]}]}]}',
        '{"hypotheses": [{"attention": [{"shape": [1, 2], "data": [[0.5], [0.5, 0.5]]}]}]}',
        '{"hypotheses": [{"attention": [{"shape": [1], "data": [0.5], "encoding": "ENCODING_MORSE"}]}]}',
    ],
)
def test_json_of_something_else_is_refused(saved: str) -> None:
    with pytest.raises(BadResponse, match=r"not a result|the shape"):
        Result.from_json(saved)


def test_json_of_a_result_is_plain_json() -> None:
    assert json.loads(text_result(["a"], ["b"]).to_json())["hypotheses"][0]["text"] == "b"
