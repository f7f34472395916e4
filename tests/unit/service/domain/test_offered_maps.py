"""The kinds of map by the outputs of the trace graph."""

import pytest

from regard_service.bundle import AttentionLayout, GraphSpec, LabelsOutput, TensorSpec
from regard_service.domain.offered_maps import has_value_norms, num_layers_and_heads, offered_kinds
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


@pytest.mark.parametrize(
    ("layout", "kinds"),
    [
        (AttentionLayout(layers=0, heads=0, channel_layers=3, channels=8), ("channel",)),
        (AttentionLayout(layers=0, heads=0, channel_layers=3, channels=8, spatial_layers=2), ("channel", "spatial")),
        (AttentionLayout(layers=0, heads=0, encoder_layers=2, encoder_heads=4), ("encoder_self", "rollout")),
    ],
)
def test_a_classifier_offers_the_kinds_that_it_has_layers_of(layout: AttentionLayout, kinds: tuple[str, ...]) -> None:
    variant = MANIFEST.variants[0].model_copy(update={"trace": GraphSpec(file="trace.onnx", inputs=(), outputs=())})
    update = {
        "variants": (variant,),
        "output": LabelsOutput(labels=("a",)),
        "attention": layout,
        "decoder_target": None,
    }
    classifier = MANIFEST.model_copy(update=update)
    assert offered_kinds(classifier) == kinds
    assert has_value_norms(classifier) == ("encoder_self" in kinds)
    assert num_layers_and_heads(classifier, "channel") == (layout.channel_layers, 0)
    assert num_layers_and_heads(classifier, "spatial") == (layout.spatial_layers, 0)
