"""Answers of the JSON API: protobuf's mapping, written in steps, and maps as lists of numbers."""

import json
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from regard.v1 import regard_pb2 as pb
from regard_service.errors import InvalidInput
from regard_service.http import json_answers
from regard_service.http.json_answers import MAX_NESTED_WEIGHTS, is_slow_to_write, write_json

RESULT = pb.Result(
    hypotheses=[pb.Hypothesis(text='"Bücher"\n本\u2028', score=float("-inf"), entropy=[0.5, float("nan")])]
)


def with_map(*shape: int, top_k: int = 0, num_tokens: int = 0) -> pb.TranslateResponse:
    """Returns an answer with a map of the shape, whose weights are 0.1, 1.1, 2.1, ..."""
    answer = pb.TranslateResponse()
    hypothesis = answer.results.add().hypotheses.add(text="ä\n\u2028")
    for number in range(num_tokens):
        hypothesis.tokens.add(id=number, piece=f"_{number}", span=pb.Span(start=number, end=number + 1))
    stored = (*shape[:-1], top_k) if top_k else shape
    values = np.arange(np.prod(stored), dtype="<f4").reshape(stored) + np.float32(0.1)
    each = hypothesis.attention.add(shape=shape, data=values.tobytes(), top_k=top_k)
    if top_k:
        each.indices = np.broadcast_to(np.arange(top_k, dtype="<u2"), stored).tobytes()
    return answer


def as_protobuf_writes(message: Message) -> Any:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


@pytest.mark.parametrize(
    "message",
    [
        pb.TranslateResponse(),
        pb.TranslateResponse(results=[RESULT, RESULT]),
        pb.StreamTranslateResponse(finished=pb.FinishedEvent(result=RESULT)),
    ],
)
def test_json_is_protobufs_with_the_names_of_the_proto(message: Message) -> None:
    written = write_json(message)
    assert json.loads(written) == as_protobuf_writes(message)
    assert b"\n" not in written, "a server-sent event is one line"


@pytest.mark.parametrize("num_tokens", [0, 1, 63, 64, 65, 200])
def test_lists_of_any_length_are_written_whole(num_tokens: int) -> None:
    answer = with_map(2, 3, num_tokens=num_tokens)
    assert json.loads(write_json(answer)) == as_protobuf_writes(answer)


@given(
    st.builds(
        pb.ListModelsResponse,
        models=st.lists(
            st.builds(
                pb.Model,
                name=st.text(st.characters(codec="utf-8")),
                target_languages=st.lists(st.text(st.characters(codec="utf-8")), max_size=3),
            ),
            max_size=3,
        ),
    )
)
def test_any_message_is_written_as_protobuf_writes_it(message: pb.ListModelsResponse) -> None:
    assert json.loads(write_json(message)) == as_protobuf_writes(message)


def test_nested_maps_have_their_shape_and_the_shortest_decimals() -> None:
    (result,) = json.loads(write_json(with_map(1, 2, 3), has_nested_maps=True))["results"]
    (written,) = result["hypotheses"][0]["attention"]
    assert written["data"] == [[[0.1, 1.1, 2.1], [3.1, 4.1, 5.1]]]


def test_nested_sparse_maps_are_whole() -> None:
    (result,) = json.loads(write_json(with_map(2, 4, top_k=2), has_nested_maps=True))["results"]
    (written,) = result["hypotheses"][0]["attention"]
    assert written["data"] == [[0.1, 1.1, 0, 0], [2.1, 3.1, 0, 0]]
    assert "indices" not in written


def test_the_encoder_gets_a_row_of_a_map_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []

    class Encoder(json.JSONEncoder):
        def encode(self, value: Any) -> str:
            encoded.append(super().encode(value))
            return encoded[-1]

    monkeypatch.setattr(json_answers, "_ENCODER", Encoder())
    write_json(with_map(2, 40, 50, num_tokens=500), has_nested_maps=True)
    assert max(map(len, encoded)) < 8000
    assert sum(map(len, encoded)) > 30_000


def test_what_is_slow_to_write_is_known_before_it_is_written() -> None:
    assert not is_slow_to_write(with_map(2, 8, 8), has_nested_maps=True)
    assert is_slow_to_write(with_map(2, 100, 100), has_nested_maps=False)
    sparse = with_map(500, 500, top_k=1)  # a small message, whose numbers are many
    assert not is_slow_to_write(sparse, has_nested_maps=False)
    assert is_slow_to_write(sparse, has_nested_maps=True)


def test_too_many_weights_are_refused_before_any_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = with_map(MAX_NESTED_WEIGHTS // 512, 513, top_k=1)
    write_json(answer)
    monkeypatch.delattr(json_format, "MessageToDict")
    with pytest.raises(InvalidInput, match=rf"attention\.encoding: .* at most {MAX_NESTED_WEIGHTS}"):
        write_json(answer, has_nested_maps=True)
