"""Selected heads, alignments, rollout."""

import numpy as np

from regard.arrays import Float32Array
from regard_service.maps.reduce import align, select, shift
from regard_service.maps.rollout import encoder_rollout, rollout


def attention(*shape: int, seed: int = 0) -> Float32Array:
    weights = np.random.default_rng(seed).gamma(0.5, size=shape) + 1e-6
    normalized: Float32Array = (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)
    return normalized


def test_select_keeps_the_given_order() -> None:
    maps = attention(3, 4, 5, 6)
    chosen = select(maps, (2, 0), (3, 1, 0))
    assert chosen.shape == (2, 3, 5, 6)
    assert chosen.flags.c_contiguous
    np.testing.assert_array_equal(chosen[0, 1], maps[2, 1])
    np.testing.assert_array_equal(chosen[1, 0], maps[0, 3])


def test_align_averages_pairs_of_layer_and_head() -> None:
    maps = attention(3, 4, 5, 6)
    alignment = align(maps, [(0, 1), (2, 3), (2, 0)])
    assert alignment.dtype == np.float32
    np.testing.assert_allclose(alignment, (maps[0, 1] + maps[2, 3] + maps[2, 0]) / 3, rtol=1e-6)
    np.testing.assert_allclose(alignment.sum(axis=-1), 1.0, rtol=1e-5)


def test_shift_takes_the_step_that_reads_the_token() -> None:
    alignment = attention(4, 3)
    shifted = shift(alignment)
    np.testing.assert_array_equal(shifted[:3], alignment[1:])
    np.testing.assert_array_equal(shifted[3], alignment[3])
    np.testing.assert_array_equal(shift(alignment[:1]), alignment[:1])


def test_encoder_rollout_multiplies_the_layers() -> None:
    maps = attention(2, 3, 5, 5)
    first, second = (0.5 * np.eye(5) + 0.5 * maps[layer].mean(axis=0) for layer in range(2))
    rolled = encoder_rollout(maps)
    assert rolled.dtype == np.float32
    np.testing.assert_allclose(rolled, second @ first, rtol=1e-5)
    np.testing.assert_allclose(rolled.sum(axis=1), 1.0, rtol=1e-5)


def test_rollout_of_one_decoder_layer_is_cross_attention_times_the_encoders() -> None:
    encoder, decoder, cross = attention(2, 3, 5, 5), attention(1, 3, 4, 4, seed=1), attention(1, 3, 4, 5, seed=2)
    np.testing.assert_allclose(
        rollout(encoder, decoder, cross), cross[0].mean(axis=0) @ encoder_rollout(encoder), rtol=1e-4
    )


def test_rollout_rows_sum_to_1_and_identity_changes_nothing() -> None:
    cross = attention(1, 2, 4, 5, seed=3)
    deep = np.repeat(cross, 3, axis=0)
    unmixed = [np.broadcast_to(np.eye(n, dtype=np.float32), (3, 2, n, n)) for n in (5, 4)]
    np.testing.assert_allclose(rollout(unmixed[0], unmixed[1], deep), cross[0].mean(axis=0), rtol=1e-4)
    mixed = rollout(attention(3, 2, 5, 5), np.tril(attention(3, 2, 4, 4)), deep)
    np.testing.assert_allclose(mixed.sum(axis=1), 1.0, rtol=1e-5)
