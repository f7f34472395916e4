"""Encoded maps, decoded by the client's own decoder."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regard.arrays import Float32Array
from regard.v1 import regard_pb2 as pb
from regard.wire.encoding import decode
from regard_service.convert.map_encoding import encode_map, encoded_bytes
from regard_service.domain.calls import MapEncoding

ENCODINGS: dict[MapEncoding, pb.Encoding.ValueType] = {
    "float32": pb.ENCODING_FLOAT32,
    "float16": pb.ENCODING_FLOAT16,
    "uint8": pb.ENCODING_UINT8,
}
shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)
weights = st.just(0.0) | st.floats(2**-20, 1, width=32)  # below, the error is that of float32 itself
maps = shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=weights))


def round_trip(values: Float32Array, encoding: MapEncoding, top_k: int | None = None) -> Float32Array:
    encoded = encode_map(values, encoding, top_k)
    message = pb.AttentionMap(
        shape=values.shape,
        encoding=ENCODINGS[encoding],
        data=encoded.data,
        indices=encoded.indices,
        top_k=encoded.top_k,
        scale=encoded.scale,
    )
    return decode(pb.AttentionMap.FromString(message.SerializeToString()))


def tolerance(values: Float32Array, encoding: MapEncoding) -> float:
    """Returns the largest error that the API allows."""
    return {"float32": 0.0, "float16": 0.00025, "uint8": float(values.max()) / 255 / 2 * 1.001}[encoding]


def test_every_encoding_is_tested() -> None:
    assert set(ENCODINGS) == set(get_args(MapEncoding))


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(values=maps)
def test_dense_maps_decode_within_the_promised_error(encoding: MapEncoding, values: Float32Array) -> None:
    np.testing.assert_allclose(round_trip(values, encoding), values, rtol=0, atol=tolerance(values, encoding))


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(values=maps, top_k=st.integers(1, 6))
def test_sparse_maps_keep_the_largest(encoding: MapEncoding, values: Float32Array, top_k: int) -> None:
    kept = round_trip(values, encoding, top_k)
    largest = np.sort(values, axis=-1)[..., ::-1][..., :top_k]
    atol = tolerance(values, encoding)
    np.testing.assert_allclose(np.sort(kept, axis=-1)[..., ::-1][..., :top_k], largest, rtol=0, atol=atol)
    remainder = np.where(kept > 0, 0, values)
    smallest_kept = largest[..., -1:]
    assert (remainder <= smallest_kept + 2 * atol).all()
    np.testing.assert_allclose(kept + remainder, values, rtol=0, atol=atol)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(values=maps, top_k=st.none() | st.integers(1, 6))
def test_the_size_is_known_before_encoding(encoding: MapEncoding, values: Float32Array, top_k: int | None) -> None:
    encoded = encode_map(values, encoding, top_k)
    assert encoded_bytes(values, encoding, top_k) == len(encoded.data) + len(encoded.indices)


@given(values=maps, top_k=st.integers(1, 6))
def test_sparse_rows_are_sorted_and_short_rows_are_whole(values: Float32Array, top_k: int) -> None:
    encoded = encode_map(values, "float32", top_k)
    if top_k >= values.shape[-1]:
        assert encoded == encode_map(values, "float32")
        return
    assert encoded.top_k == top_k
    rows = np.frombuffer(encoded.data, "<f4").reshape(-1, top_k)
    assert (np.diff(rows, axis=1) <= 0).all()
    assert len(encoded.indices) == 2 * rows.size


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_empty_maps_and_maps_of_zeros(encoding: MapEncoding) -> None:
    for shape in ((2, 3), (0, 3)):
        np.testing.assert_array_equal(round_trip(np.zeros(shape, np.float32), encoding), np.zeros(shape))


def test_the_bytes_are_row_major_for_any_memory_layout() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3).T
    np.testing.assert_array_equal(round_trip(values, "float32"), values)
    np.testing.assert_array_equal(round_trip(values, "float32", 1), [[0, 3], [0, 4], [0, 5]])


def test_rows_beyond_the_indices_are_refused() -> None:
    with pytest.raises(ValueError, match="65536"):
        encode_map(np.zeros((1, 70_000), np.float32), "float32", 4)
