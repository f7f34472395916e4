"""Tensors of models without a decoder."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard_service.bundle import LabelsOutput, Output
from regard_service.convert.open_inference.raw import raw_contents
from regard_service.convert.open_inference.tensors import Tensor
from regard_service.domain.outputs import ClassifyResult, Detection, DetectResult, EncodeResult
from regard_service.open_inference import open_inference_pb2 as v2

Results = Sequence[EncodeResult] | Sequence[ClassifyResult] | Sequence[DetectResult]


def write_one_step_response(
    request: v2.ModelInferRequest, outputs: Sequence[Tensor], results: Results, output: Output
) -> v2.ModelInferResponse:
    """Writes the response, with raw contents, a row for each input."""
    read = results[0].read
    response = v2.ModelInferResponse(model_name=read.model, model_version=read.version, id=request.id)
    for tensor in outputs:
        values = _VALUES[tensor.name](results, output)
        response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=values.shape)
        response.raw_output_contents.append(raw_contents(values))
    return response


def _vector(results: Results, output: Output) -> NDArray[Any]:
    return np.stack([result.vector for result in results if isinstance(result, EncodeResult)])


def _num_tokens(results: Results, output: Output) -> NDArray[Any]:
    return np.asarray([result.read.num_tokens for result in results], np.int32)


def _label(results: Results, output: Output) -> NDArray[Any]:
    labels = [result.labels[0].label.encode() for result in results if isinstance(result, ClassifyResult)]
    return np.asarray(labels, dtype=object)


def _probabilities(results: Results, output: Output) -> NDArray[Any]:
    """In the order of the manifest's labels."""
    names = output.labels if isinstance(output, LabelsOutput) else ()
    rows = [dict(result.labels) for result in results if isinstance(result, ClassifyResult)]
    return np.asarray([[row[name] for name in names] for row in rows], np.float32)


def _detections(results: Results) -> list[tuple[Detection, ...]]:
    return [result.detections for result in results if isinstance(result, DetectResult)]


def _num_boxes(results: Results, output: Output) -> NDArray[Any]:
    return np.array([len(each) for each in _detections(results)], np.int32)


def _padded(results: Results, value: Callable[[Detection], Any], padding: NDArray[Any]) -> NDArray[Any]:
    """A row for each picture, a value for each box; the rows of pictures with fewer boxes end with the padding."""
    rows = _detections(results)
    padded = np.empty((len(rows), max(map(len, rows)), *padding.shape), padding.dtype)
    padded[...] = padding
    for row, detections in zip(padded, rows, strict=True):
        for place, detection in enumerate(detections):
            row[place] = value(detection)
    return padded


def _boxes(results: Results, output: Output) -> NDArray[Any]:
    return _padded(results, lambda found: found.box, np.zeros(4, np.float32))


def _labels(results: Results, output: Output) -> NDArray[Any]:
    return _padded(results, lambda found: found.label.encode(), np.array(b"", dtype=object))


def _scores(results: Results, output: Output) -> NDArray[Any]:
    return _padded(results, lambda found: found.score, np.array(0, np.float32))


_VALUES: Mapping[str, Callable[[Results, Output], NDArray[Any]]] = {
    "vector": _vector,
    "num_tokens": _num_tokens,
    "label": _label,
    "probabilities": _probabilities,
    "num_boxes": _num_boxes,
    "boxes": _boxes,
    "labels": _labels,
    "scores": _scores,
}
