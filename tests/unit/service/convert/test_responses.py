"""Results and events as messages: every field."""

from dataclasses import replace

import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict

from regard.v1 import regard_pb2 as pb
from regard_service.convert.responses import pharaoh, write_event, write_response
from regard_service.domain.calls import AttentionOptions
from regard_service.domain.results import AttentionMap, ImageGrid, Link, Result
from tests.integration.fake_backend import EVENTS, RESULT


def test_every_field_of_a_result_is_written() -> None:
    message = write_response([RESULT], AttentionOptions(kinds=("alignment",)), pb.TranslateResponse).results[0]
    best = message.hypotheses[0]
    attention = best.attention[0]
    written = MessageToDict(message, preserving_proto_field_name=True)
    assert written["source_tokens"] == [
        {"id": 3, "piece": "▁Hello", "span": {"end": 5}},
        {"id": 2, "piece": "</s>", "special": True},
    ]
    assert (message.truncated, message.num_truncated_tokens, message.num_parts) == (True, 3, 1)
    assert (message.model, message.model_version) == ("everyday", "2")
    assert written["timings"] == {"queue_ms": 1.0, "encode_ms": 2.0, "decode_ms": 3.0}
    assert (best.text, best.score, best.finish_reason) == ("Hallo", -0.25, pb.FINISH_REASON_END)
    assert [token.logprob for token in best.tokens] == [-0.5, 0]
    assert not best.tokens[0].HasField("copied_from")
    assert not best.tokens[1].HasField("span")
    assert written["hypotheses"][0]["words"] == [{"text": "Hallo", "span": {"end": 5}, "tokens": {"end": 1}}]
    assert (list(best.entropy), list(best.coverage), list(best.source_coverage)) == ([0.5, 0.25], [0, 0.5], [1, 1])
    assert best.pharaoh == "0-0"
    assert (attention.kind, list(attention.shape)) == (pb.ATTENTION_KIND_ALIGNMENT, [2, 2])
    assert (list(attention.layers), list(attention.heads)) == ([1], [0])
    assert (attention.encoding, attention.granularity) == (pb.ENCODING_FLOAT32, pb.GRANULARITY_TOKEN)
    assert (attention.alignment_method, attention.weighting) == (pb.ALIGNMENT_METHOD_PLAIN, pb.WEIGHTING_ATTENTION)
    np.testing.assert_array_equal(np.frombuffer(attention.data, "<f4").reshape(2, 2), [[0.75, 0.25], [0.25, 0.75]])


def test_the_options_determine_the_encoding_of_maps() -> None:
    options = AttentionOptions(kinds=("cross",), encoding="uint8", top_k=1, method="shifted")
    cross = AttentionMap("cross", np.array([[[[0.25, 0.75], [1, 0]]]], np.float32), layers=(3,), heads=(1,))
    result = replace(RESULT, hypotheses=(replace(RESULT.hypotheses[0], maps=(cross,)),))
    attention = write_response([result], options, pb.TranslateResponse).results[0].hypotheses[0].attention[0]
    assert list(attention.shape) == [1, 1, 2, 2]
    assert (attention.encoding, attention.top_k) == (pb.ENCODING_UINT8, 1)
    assert attention.alignment_method == pb.ALIGNMENT_METHOD_UNSPECIFIED  # set for the alignment only
    np.testing.assert_array_equal(np.frombuffer(attention.indices, "<u2"), [1, 0])
    weights = np.frombuffer(attention.data, "u1") * attention.scale
    np.testing.assert_allclose(weights, [0.75, 1], atol=attention.scale)


def test_copied_tokens_pictures_and_maps_of_the_source() -> None:
    token = RESULT.hypotheses[0].tokens[0]._replace(copied_from=0)
    grid = ImageGrid(rows=7, columns=7, image_width=640, image_height=480, box=(80, 0, 560, 480))
    source = replace(RESULT.source, image_grid=grid)
    own = AttentionMap("encoder_self", np.ones((1, 1, 1, 1), np.float32), layers=(0,), heads=(0,))
    result = replace(
        RESULT, hypotheses=(replace(RESULT.hypotheses[0], tokens=(token,)),), source=source, maps=(own,), num_parts=2
    )
    message = write_response([result], AttentionOptions(), pb.CaptionResponse).results[0]
    written = message.hypotheses[0].tokens[0]
    assert (written.copied, written.HasField("copied_from"), written.copied_from) == (True, True, 0)
    assert (message.image_grid.rows, message.image_grid.box.left, message.image_grid.box.right) == (7, 80, 560)
    assert message.source_attention[0].kind == pb.ATTENTION_KIND_ENCODER_SELF
    assert message.num_parts == 2


@pytest.mark.parametrize(
    "event_class", [pb.StreamTranslateResponse, pb.StreamSummarizeResponse, pb.StreamCaptionResponse]
)
def test_events_of_every_stream(event_class: type[pb.StreamTranslateResponse]) -> None:
    started, first, second, finished = (write_event(event, AttentionOptions(), event_class) for event in EVENTS)
    assert (started.started.model, started.started.model_version) == ("everyday", "2")
    assert (started.started.truncated, started.started.num_truncated_tokens) == (True, 3)
    assert [token.piece for token in started.started.source_tokens] == ["▁Hello", "</s>"]
    assert [(event.token.index, event.token.text_delta) for event in (first, second)] == [(0, "Hallo"), (1, "")]
    assert isinstance(EVENTS[-1], Result)
    assert finished.finished.result == write_response([EVENTS[-1]], AttentionOptions(), pb.TranslateResponse).results[0]


def test_pharaoh_is_ordered_by_source() -> None:
    assert pharaoh([Link(2, 0), Link(0, 1), Link(0, 0)]) == "0-0 0-1 2-0"
    assert pharaoh([]) == ""
