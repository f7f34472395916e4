"""Results from JSON: as `regard.wire.as_json` writes them, or as the server's JSON API does.

The first writes a map's `data` as nested lists and unset fields as null; the second writes base64 and leaves unset
fields out. Both are read. Fields of a later version are ignored.
"""

import base64
import json
from typing import Any

import numpy as np
from google.protobuf import json_format

from regard.errors import BadResponse
from regard.v1 import regard_pb2 as pb
from regard.wire.encoding import encode

Json = Any


def read_result(saved: str | bytes | dict[str, Json]) -> pb.Result:
    """Reads a result from a JSON text, or from the dictionary that `json.loads` makes of it.

    Raises:
        BadResponse: the JSON is not a result.
    """
    try:
        value = saved if isinstance(saved, dict) else json.loads(saved)
        if not isinstance(value, dict) or not value.get("hypotheses"):
            raise BadResponse("this JSON is not a result: it has no hypotheses")
        return json_format.ParseDict(_to_protobuf_json(value), pb.Result(), ignore_unknown_fields=True)
    except (ValueError, TypeError, json_format.ParseError) as error:
        raise BadResponse(f"this JSON is not a result: {error}") from error


def _to_protobuf_json(value: Json) -> Json:
    """The same value in protobuf's own JSON mapping: without nulls, weights as base64."""
    if isinstance(value, list):
        return [_to_protobuf_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("data"), list):
        return _pack_map(value)
    return {name: _to_protobuf_json(item) for name, item in value.items() if item is not None}


def _pack_map(value: dict[str, Json]) -> dict[str, Json]:
    """An attention map with its weights, nested lists, packed in the encoding that it names."""
    shape = tuple(value.get("shape") or ())
    weights = np.array(value["data"], np.float32)
    if weights.size == 0:
        weights = weights.reshape(shape)
    if weights.shape != shape:
        raise BadResponse(f"an attention map has the shape {list(shape)}, but its data {list(weights.shape)}")
    encoding = pb.Encoding.Value(value.get("encoding", "ENCODING_FLOAT32"))
    data, indices = encode(weights, encoding, value.get("top_k", 0), value.get("scale", 0.0))
    packed = {"data": base64.b64encode(data).decode(), "indices": base64.b64encode(indices).decode()}
    return {name: item for name, item in value.items() if item is not None} | packed
