"""Writes results as the tensors of the Open Inference Protocol."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard_service.convert.open_inference.raw import raw_contents
from regard_service.convert.open_inference.tensors import Tensor
from regard_service.domain.results import AttentionMap, Result, Token
from regard_service.errors import AnswerTooLarge
from regard_service.maps.blocks import whole_map
from regard_service.open_inference import open_inference_pb2 as v2

MAP_KINDS = {"alignment": "alignment", "cross_attention": "cross"}


def write_infer_response(
    request: v2.ModelInferRequest, outputs: Sequence[Tensor], results: Sequence[Result], max_bytes: float = math.inf
) -> v2.ModelInferResponse:
    """Writes the response, with raw contents. Each row is the best hypothesis of an input.

    Args:
        max_bytes: the limit of the maps. Short rows are padded, so the maps may be far larger than those of each input.

    Raises:
        AnswerTooLarge: before the maps are padded.
    """
    _check_size(outputs, results, max_bytes)
    response = v2.ModelInferResponse(model_name=results[0].model, model_version=results[0].version, id=request.id)
    for tensor in outputs:
        values = _VALUES[tensor.name](results)
        response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=values.shape)
        response.raw_output_contents.append(raw_contents(values))
    return response


def _check_size(outputs: Sequence[Tensor], results: Sequence[Result], max_bytes: float) -> None:
    size = 0
    for name in {tensor.name for tensor in outputs} & MAP_KINDS.keys():
        shapes = [shape for result in results for shape in _whole_shapes(result, MAP_KINDS[name])]
        size += len(results) * math.prod(max(lengths) for lengths in zip(*shapes, strict=True)) * 4
    if size > max_bytes:
        raise AnswerTooLarge.of(
            "outputs",
            f"the maps of {len(results)} inputs, padded to the longest, would have {size} bytes; the limit is "
            f"max_message_bytes, {max_bytes:g}; what helps: fewer inputs, inputs of one length, no cross_attention",
        )


def _whole_shapes(result: Result, kind: str) -> Iterator[tuple[int, ...]]:
    """Yields the shape of a whole text's or picture's map; nothing if it has none."""
    shapes = [each.values.shape for each in result.hypotheses[0].maps if each.kind == kind]
    if shapes:
        rows, columns = (sum(shape[axis] for shape in shapes) for axis in (-2, -1))
        yield (*shapes[0][:-2], rows, columns)


def _text(results: Sequence[Result]) -> NDArray[Any]:
    return _padded([np.asarray([result.hypotheses[0].text.encode()], dtype=object) for result in results])[:, 0]


def _score(results: Sequence[Result]) -> NDArray[Any]:
    return np.asarray([result.hypotheses[0].score for result in results], dtype=np.float32)


def _num_tokens(results: Sequence[Result]) -> NDArray[Any]:
    return np.asarray([len(result.hypotheses[0].tokens) for result in results], dtype=np.int32)


def _tokens(results: Sequence[Result]) -> NDArray[Any]:
    return _padded([_pieces(result.hypotheses[0].tokens) for result in results])


def _source_tokens(results: Sequence[Result]) -> NDArray[Any]:
    return _padded([_pieces(result.source.tokens) for result in results])


def _map(kind: str) -> Callable[[Sequence[Result]], NDArray[Any]]:
    def values(results: Sequence[Result]) -> NDArray[Any]:
        found = [[m for m in r.hypotheses[0].maps if m.kind == kind] for r in results]
        # A text of which nothing is translated has no map; its rows and columns are none.
        known = next((maps for maps in found if maps), None)
        if known is None:
            return np.zeros((len(results), *[0] * _NUM_AXES[kind]), np.float32)
        return _padded([_whole(maps or known, r) for maps, r in zip(found, results, strict=True)])

    return values


def _whole(maps: Sequence[AttentionMap], result: Result) -> NDArray[Any]:
    """Returns the map of a whole text from those of its segments; pictures have one map."""
    if len(maps) == 1 and maps[0].values.shape[-2] == len(result.hypotheses[0].tokens):
        return maps[0].values
    num_targets, num_sources = len(result.hypotheses[0].tokens), len(result.source.tokens)
    return whole_map(maps if num_targets else (), num_targets, num_sources, maps[0].values.shape[:-2])


def _pieces(tokens: Sequence[Token]) -> NDArray[Any]:
    return np.asarray([token.piece.encode() for token in tokens], dtype=object)


def _padded(rows: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Stacks rows of any lengths; the padding is 0, or the empty text."""
    shape = tuple(max(lengths) for lengths in zip(*(row.shape for row in rows), strict=True))
    stacked = np.full((len(rows), *shape), b"" if rows[0].dtype == object else 0, dtype=rows[0].dtype)
    for index, row in enumerate(rows):
        stacked[index][tuple(slice(length) for length in row.shape)] = row
    return stacked


_NUM_AXES = {"alignment": 2, "cross": 4}
_VALUES: Mapping[str, Callable[[Sequence[Result]], NDArray[Any]]] = {
    "text": _text,
    "score": _score,
    "num_tokens": _num_tokens,
    "tokens": _tokens,
    "source_tokens": _source_tokens,
    **{name: _map(kind) for name, kind in MAP_KINDS.items()},
}
