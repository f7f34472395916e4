"""Maps on the wire: every encoding, dense and sparse, and inconsistent maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from regard.errors import BadResponse
from regard.v1 import regard_pb2 as pb
from regard.wire.encoding import decode
from tests.integration.fake_regard import encode_map

WEIGHTS = st.floats(0, 1, width=32, allow_subnormal=False)
SHAPES = arrays.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=5)
MAPS = SHAPES.flatmap(lambda shape: arrays.arrays(np.float32, shape, elements=WEIGHTS))


@given(MAPS)
def test_float32_is_exact(values: np.ndarray) -> None:
    decoded = decode(encode_map(values))
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, values)


@given(MAPS)
def test_float16_errs_by_less_than_the_api_promises(values: np.ndarray) -> None:
    np.testing.assert_allclose(decode(encode_map(values, pb.ENCODING_FLOAT16)), values, rtol=0, atol=0.00025)


@given(MAPS)
def test_uint8_errs_by_half_a_step(values: np.ndarray) -> None:
    message = encode_map(values, pb.ENCODING_UINT8)
    np.testing.assert_allclose(decode(message), values, rtol=0, atol=message.scale * 0.501)


@given(MAPS.filter(lambda values: values.size > 0), st.integers(1, 5))
def test_sparse_maps_keep_the_largest_and_drop_the_rest(values: np.ndarray, top_k: int) -> None:
    top_k = min(top_k, values.shape[-1])
    decoded = decode(encode_map(values, top_k=top_k))
    assert decoded.shape == values.shape
    kept = decoded > 0
    np.testing.assert_array_equal(decoded[kept], values[kept])
    np.testing.assert_allclose(np.sort(decoded)[..., -top_k:], np.sort(values)[..., -top_k:])
    assert (np.count_nonzero(decoded, axis=-1) <= top_k).all()


def test_values_are_read_only() -> None:
    assert not decode(encode_map(np.ones((2, 2)))).flags.writeable


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": b"123"}, "data has 3 bytes, but its shape asks for 24"),
        ({"shape": []}, r"the shape \[\]"),
        ({"shape": [2, -3]}, "the shape"),
        ({"encoding": 77}, "unknown encoding 77"),
        ({"encoding": 0}, "unknown encoding 0"),
        ({"top_k": 4}, "top_k 4, but its last axis is 3 long"),
        ({"top_k": -1}, "top_k -1"),
        ({"top_k": 3}, "indices has 0 bytes, but its shape asks for 12"),
        ({"top_k": 3, "indices": np.full(6, 3, "<u2").tobytes()}, "the index 3, but its last axis is 3 long"),
    ],
)
def test_inconsistent_maps_are_refused(change: dict[str, object], message: str) -> None:
    fields = {"shape": [2, 3], "encoding": pb.ENCODING_FLOAT32, "data": bytes(24)} | change
    with pytest.raises(BadResponse, match=message):
        decode(pb.AttentionMap(**fields))  # type: ignore[arg-type]
