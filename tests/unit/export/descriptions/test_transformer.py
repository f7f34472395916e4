from typing import Any

import numpy as np
import pytest

from regard.arrays import Float32Array
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.errors import ExportError
from regard_export.families.regard_checkpoints import transformer
from regard_models.nets.transformer import TransformerConfig
from tests.unit.export.transformer_checkpoints import description_of, tiny_checkpoint


def _weights(**options: Any) -> tuple[TransformerConfig, dict[str, Float32Array]]:
    checkpoint = tiny_checkpoint(**options)
    description = description_of(transformer.from_checkpoint(checkpoint))
    return description.config, dict(description.weights)


def test_every_fault_is_named_at_once() -> None:
    config, weights = _weights()
    del weights["decoder.1.feed_forward.inner.bias"]
    weights["decoder.0.norm.weight"] = np.zeros(3, np.float32)
    weights["encoder_norm.weight"] = np.zeros(3, np.float32)
    weights["embedding.weight"] = np.full_like(weights["embedding.weight"], np.nan)
    with pytest.raises(ExportError) as error:
        TransformerDescription(config, weights)
    for fault in (
        "decoder.1.feed_forward.inner.bias is missing",
        "decoder.0.norm.weight is unexpected",
        "encoder_norm.weight has shape (3,), not (32,)",
        "embedding.weight is not finite",
    ):
        assert fault in str(error.value)


def test_a_tied_head_is_the_embedding_and_an_untied_one_is_not() -> None:
    tied, untied = (
        TransformerDescription(*_weights()),
        TransformerDescription(*_weights(tie_embeddings=False, output_bias=True)),
    )
    assert tied.head.weight is tied.embedding
    assert tied.head.bias is None
    assert untied.head.weight is untied.weights["head.weight"]
    assert untied.head.bias is not None


def test_a_tied_model_with_a_head_of_its_own_is_refused() -> None:
    config, weights = _weights()
    with pytest.raises(ExportError, match=r"head\.weight is unexpected"):
        TransformerDescription(config, weights | {"head.weight": weights["embedding.weight"]})


def test_positions_are_learned_or_sinusoids() -> None:
    learned = TransformerDescription(*_weights(positions="learned"))
    assert learned.positions("decoder") is learned.weights["decoder_positions.weight"]
    sines = TransformerDescription(*_weights()).positions("encoder")
    assert sines is not None
    assert sines.shape == (256, 32)
    assert np.allclose(sines[:, :16] ** 2 + sines[:, 16:] ** 2, 1)


def test_the_module_computes_with_the_same_weights() -> None:
    description = TransformerDescription(*_weights(positions="learned"))
    state = description.module().state_dict()
    assert all(np.array_equal(state[name].numpy(), weight) for name, weight in description.weights.items())
