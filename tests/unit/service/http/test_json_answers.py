"""Messages as JSON."""

import json

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from regard.v1 import regard_pb2 as pb
from regard_service.http.json_answers import write_json

RESULT = pb.Result(
    hypotheses=[pb.Hypothesis(text='"Bücher"\n本\u2028', score=float("-inf"), entropy=[0.5, float("nan")])]
)


@pytest.mark.parametrize(
    "message",
    [
        pb.TranslateResponse(),
        pb.TranslateResponse(results=[RESULT, RESULT]),
        pb.StreamTranslateResponse(finished=pb.FinishedEvent(result=RESULT)),
    ],
)
def test_json_is_protobufs_with_the_names_of_the_proto(message: Message) -> None:
    expected = json_format.MessageToDict(message, preserving_proto_field_name=True)
    written = write_json(message)
    assert json.loads(written) == expected
    assert b"\n" not in written, "a server-sent event is one line"
