"""Requests of the Open Inference Protocol: bytes from outside, parameters, other tasks than translation."""

import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.v1 import regard_pb2 as pb
from regard_service.bundle import Bundle, ImageSource, Manifest, zoo_folder
from regard_service.convert.open_inference.requests import (
    as_open_inference_error,
    read_bytes_tensor,
    read_outputs,
    read_request,
)
from regard_service.convert.open_inference.tensors import outputs_of
from regard_service.errors import FieldViolation, InvalidInput
from regard_service.open_inference import open_inference_pb2 as v2


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return Bundle.load(zoo_folder() / "everyday").manifest


def infer(*texts: bytes, **parameters: v2.InferParameter) -> v2.ModelInferRequest:
    return v2.ModelInferRequest(
        model_name="everyday",
        inputs=[
            v2.ModelInferRequest.InferInputTensor(
                name="text",
                datatype="BYTES",
                shape=[len(texts)],
                contents=v2.InferTensorContents(bytes_contents=texts),
            )
        ],
        parameters=parameters,
    )


@given(st.lists(st.binary(max_size=20)))
def test_elements_are_read_as_they_were_written(elements: list[bytes]) -> None:
    raw = b"".join(struct.pack("<I", len(element)) + element for element in elements)
    assert read_bytes_tensor(raw) == elements


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        elements = read_bytes_tensor(raw)
    except ValueError:
        return
    assert b"".join(struct.pack("<I", len(element)) + element for element in elements) == raw


def test_elements_may_come_without_raw_contents(manifest: Manifest) -> None:
    request = infer(b"Hello.", "Çà.".encode())
    ours = read_request(request, manifest, read_outputs(request, manifest))
    assert isinstance(ours, pb.TranslateRequest)
    assert list(ours.texts) == ["Hello.", "Çà."]
    assert list(ours.attention.kinds) == [pb.ATTENTION_KIND_ALIGNMENT, pb.ATTENTION_KIND_CROSS]


def test_attention_is_not_computed_unless_an_output_names_it(manifest: Manifest) -> None:
    request = infer(b"Hello.")
    request.outputs.add(name="score")
    ours = read_request(request, manifest, read_outputs(request, manifest))
    assert not ours.attention.kinds


def test_parameters_become_fields(manifest: Manifest) -> None:
    request = infer(
        b"Hello.",
        target_language=v2.InferParameter(string_param="de"),
        truncation=v2.InferParameter(string_param="split_and_join"),
        priority=v2.InferParameter(string_param="bulk"),
        num_beams=v2.InferParameter(int64_param=2),
        length_penalty=v2.InferParameter(double_param=0.5),
        early_stopping=v2.InferParameter(string_param="first"),
        whole_vocabulary=v2.InferParameter(bool_param=True),
    )
    ours = read_request(request, manifest, [])
    assert isinstance(ours, pb.TranslateRequest)
    assert (ours.target_language, ours.truncation, ours.priority) == (
        "de",
        pb.TRUNCATION_SPLIT_AND_JOIN,
        pb.PRIORITY_BULK,
    )
    assert ours.generation == pb.GenerationConfig(
        num_beams=2, length_penalty=0.5, early_stopping=pb.EARLY_STOPPING_FIRST, whole_vocabulary=True
    )


def test_the_parameter_that_perf_analyzer_sends_with_every_call_is_ignored(manifest: Manifest) -> None:
    request = infer(b"Hello.", triton_enable_empty_final_response=v2.InferParameter(bool_param=True))
    assert read_request(request, manifest, []) == read_request(infer(b"Hello."), manifest, [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_beams", v2.InferParameter(bool_param=True)),
        ("num_beams", v2.InferParameter(double_param=2.0)),
        ("whole_vocabulary", v2.InferParameter(int64_param=1)),
        ("whole_vocabulary", v2.InferParameter(string_param="true")),
        ("num_beams", v2.InferParameter(int64_param=2**40)),
        ("num_beams", v2.InferParameter()),
        ("truncation", v2.InferParameter(string_param="perhaps")),
        ("target_language", v2.InferParameter(int64_param=1)),
        ("style", v2.InferParameter(string_param="headline")),
        ("num_return_sequences", v2.InferParameter(int64_param=2)),
        ("texts", v2.InferParameter(string_param="x")),
    ],
)
def test_bad_parameters_are_refused(manifest: Manifest, name: str, value: v2.InferParameter) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_request(infer(b"Hello.", **{name: value}), manifest, [])
    assert [violation.field for violation in refused.value.violations] == [f"parameters.{name}"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("num_beams", v2.InferParameter(int64_param=2**40), "a whole number in [-2147483648, 2147483647]"),
        ("truncation", v2.InferParameter(string_param="cut"), "a text, one of unspecified, reject, truncate, split"),
        ("whole_vocabulary", v2.InferParameter(string_param="true"), "a boolean"),
        ("target_language", v2.InferParameter(int64_param=1), "a text"),
        ("top_p", v2.InferParameter(string_param="all"), "a number"),
    ],
)
def test_a_bad_parameter_s_values_are_named(
    manifest: Manifest, name: str, value: v2.InferParameter, expected: str
) -> None:
    with pytest.raises(InvalidInput, match=re.escape(f"it must be {expected}")):
        read_request(infer(b"Hello.", **{name: value}), manifest, [])


def test_bounds_of_a_detection_s_parameters_have_their_paths() -> None:
    error = InvalidInput([FieldViolation(name, "is bad") for name in ("threshold", "top_k", "labels[0]")])
    fields = [each.field for each in as_open_inference_error(error).violations]
    assert fields == ["parameters.threshold", "parameters.top_k", "labels[0]"]


def test_bad_inputs_are_refused(manifest: Manifest) -> None:
    bad = [infer(b"\xff"), infer(b"Hello."), infer(b"Hello."), infer(b"Hello."), v2.ModelInferRequest()]
    bad[1].inputs[0].shape[:] = [2]
    bad[2].inputs[0].datatype = "FP32"
    bad[3].raw_input_contents.append(b"")
    for request in bad:
        with pytest.raises(InvalidInput) as refused:
            read_request(request, manifest, [])
        assert [violation.field for violation in refused.value.violations] == ["inputs[0]"]


PICTURES = ImageSource(height=8, width=8, mean=(0, 0, 0), std=(1, 1, 1), resize="squash", grid=(1, 1))


def test_captioners_have_other_tensors(manifest: Manifest) -> None:
    captioner = manifest.model_copy(update={"task": "captioning", "source": PICTURES})
    assert "source_tokens" not in {tensor.name for tensor in outputs_of(captioner)}
    request = infer(b"\xff\xd8")
    request.inputs[0].name = "image"
    ours = read_request(request, captioner, [])
    assert isinstance(ours, pb.CaptionRequest)
    assert list(ours.images) == [b"\xff\xd8"]
