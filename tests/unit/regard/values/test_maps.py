"""Maps of a text of several segments."""

import numpy as np

from regard.v1 import regard_pb2 as pb
from regard.values.maps import read_maps, whole_map
from regard.wire.encoding import encode


def message(
    values: list[list[float]], source: int, target: int, encoding: int = pb.ENCODING_FLOAT32
) -> pb.AttentionMap:
    weights = np.array(values, np.float32)
    data, indices = encode(weights, encoding, 0, 1 / 255)
    made = pb.AttentionMap(
        kind=pb.ATTENTION_KIND_ALIGNMENT, shape=weights.shape, data=data, indices=indices, scale=1 / 255
    )
    made.encoding = encoding  # type: ignore[assignment]
    made.source_offset, made.target_offset = source, target
    return made


def test_segments_stand_at_their_places_and_all_else_is_zero() -> None:
    maps = read_maps([message([[0.5, 0.5]], 0, 0), message([[1], [1]], 2, 1, pb.ENCODING_UINT8)])
    whole = whole_map(maps)
    assert whole is not None
    assert whole.values.tolist() == [[0.5, 0.5, 0], [0, 0, 1], [0, 0, 1]]
    assert (whole.kind, whole.shape, whole.top_k) == ("alignment", (3, 3), 0)


def test_one_segment_is_its_own_map() -> None:
    [only] = read_maps([message([[1]], 0, 0)])
    assert whole_map([only]) is only
    assert whole_map([]) is None
