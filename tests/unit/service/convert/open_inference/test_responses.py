"""Results as tensors."""

import numpy as np
import pytest

from regard_service.bundle import Bundle, Manifest, zoo_folder
from regard_service.convert.open_inference.requests import read_bytes_tensor
from regard_service.convert.open_inference.responses import write_infer_response
from regard_service.convert.open_inference.tensors import outputs_of
from regard_service.domain.results import AttentionMap, Hypothesis, Result, Source, Timings, Token
from regard_service.open_inference import open_inference_pb2 as v2


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return Bundle.load(zoo_folder() / "everyday").manifest


def test_rows_are_padded_and_little_endian(manifest: Manifest) -> None:
    def result(text: str) -> Result:
        tokens = tuple(Token(1, piece, None) for piece in text.split())
        return Result((Hypothesis(text, tokens, -0.5, "end"),), Source(), Timings(0, 0, 0), "everyday", "1")

    outputs = [tensor for tensor in outputs_of(manifest) if tensor.name in ("tokens", "num_tokens", "score")]
    answer = write_infer_response(v2.ModelInferRequest(id="x"), outputs, [result("a bc"), result("d")])
    raw = {tensor.name: data for tensor, data in zip(answer.outputs, answer.raw_output_contents, strict=True)}
    assert read_bytes_tensor(raw["tokens"]) == [b"a", b"bc", b"d", b""]
    assert np.frombuffer(raw["num_tokens"], "<i4").tolist() == [2, 1]
    assert np.frombuffer(raw["score"], "<f4").tolist() == [-0.5, -0.5]
    assert [list(tensor.shape) for tensor in answer.outputs if tensor.name == "tokens"] == [[2, 2]]


def test_maps_of_segments_form_one_and_blank_texts_have_none(manifest: Manifest) -> None:
    def token(piece: str) -> Token:
        return Token(1, piece, None)

    def of_segment(values: list[list[float]], source: int, target: int) -> AttentionMap:
        return AttentionMap("alignment", np.array(values, np.float32), source_offset=source, target_offset=target)

    maps = (of_segment([[0.5, 0.5]], 0, 0), of_segment([[1.0], [1.0]], 2, 1))
    page = Result(
        (Hypothesis("x", tuple(map(token, "abc")), 0.0, "end", maps=maps),),
        Source(tuple(map(token, "xyz"))),
        Timings(0, 0, 0),
        "everyday",
        "1",
    )
    blank = Result((Hypothesis("", (), 0.0, "end"),), Source(), Timings(0, 0, 0), "everyday", "1")
    outputs = [tensor for tensor in outputs_of(manifest) if tensor.name == "alignment"]
    for results, shape in (([page, blank], [2, 3, 3]), ([blank, blank], [2, 0, 0])):
        answer = write_infer_response(v2.ModelInferRequest(), outputs, results)
        assert list(answer.outputs[0].shape) == shape
    answer = write_infer_response(v2.ModelInferRequest(), outputs, [blank, page])
    values = np.frombuffer(answer.raw_output_contents[0], "<f4").reshape(2, 3, 3)
    assert values[0].tolist() == [[0.0] * 3] * 3
    assert values[1].tolist() == [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
