"""The kinds of map by the outputs of the trace graph."""

import pytest

from regard_service.bundle import GraphSpec, TensorSpec
from regard_service.domain.offered_maps import offered_kinds
from tests.integration.fake_backend import MANIFEST

ENCODER = TensorSpec(name="encoder_attention_0", dtype="float32", shape=("heads", "source", "source"))
DECODER = TensorSpec(name="decoder_attention_0", dtype="float32", shape=("heads", "target", "target"))


@pytest.mark.parametrize(
    ("outputs", "kinds"),
    [
        ((ENCODER, DECODER), ("cross", "alignment", "encoder_self", "decoder_self", "rollout")),
        ((ENCODER,), ("cross", "alignment", "encoder_self")),
        (None, ("cross", "alignment")),
    ],
)
def test_a_kind_needs_its_outputs(outputs: tuple[TensorSpec, ...] | None, kinds: tuple[str, ...]) -> None:
    trace = None if outputs is None else GraphSpec(file="trace.onnx", inputs=(), outputs=outputs)
    variant = MANIFEST.variants[0].model_copy(update={"trace": trace})
    assert offered_kinds(MANIFEST.model_copy(update={"variants": (variant,)})) == kinds
