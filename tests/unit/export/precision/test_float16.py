"""Which tensors become float16, and which stay float32."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from regard_export.decoding.variant_engine import VariantEngine
from regard_export.errors import ExportError
from regard_export.exporting.export import export
from regard_export.exporting.options import ExportOptions
from regard_export.families.regard_checkpoints import (
    captioner,
    encoder_decoder,
    pointer_generator,
    recurrent,
    transformer,
)
from regard_export.onnx_graph.contract import MASKED_SCORE
from regard_models.nets.encoder_decoder import EncoderConfig
from regard_service.bundle import Bundle, Precision
from regard_service.engine.runtime.slots import Slots, SlotsShape
from tests.unit.export.captioner_checkpoints import tiny_captioner_checkpoint, tiny_lstm
from tests.unit.export.encoder_decoder_checkpoints import tiny_bert, tiny_vision
from tests.unit.export.encoder_decoder_checkpoints import tiny_checkpoint as encoder_decoder_checkpoint
from tests.unit.export.pointer_checkpoints import tiny_pointer_checkpoint
from tests.unit.export.recurrent_checkpoints import tiny_recurrent_checkpoint
from tests.unit.export.transformer_checkpoints import tiny_checkpoint, write_tiny_bundle

PRECISIONS: tuple[Precision, ...] = ("float16", "float32")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    model = transformer.from_checkpoint(tiny_checkpoint())
    return write_tiny_bundle(tmp_path_factory.mktemp("float16") / "bundle", model, "float32", "float16")


def test_memory_and_state_become_float16_and_inputs_of_the_search_do_not(bundle) -> None:
    half = next(v for v in bundle.manifest.variants if v.precision == "float16")
    types = {spec.name: spec.dtype for spec in (*half.encode.outputs, *half.step.inputs, *half.step.outputs)}
    assert {t for name, t in types.items() if name.startswith(("cross_key", "cross_value", "self_", "present_"))} == {
        "float16"
    }
    assert {t for n, t in types.items() if n.startswith(("cross_attention", "candidate_logits", "log_"))} == {"float32"}


def test_the_engine_takes_the_types_of_the_variant_that_it_runs(bundle) -> None:
    manifest = VariantEngine(bundle, "float16").manifest
    slots = Slots(manifest, SlotsShape(max_requests=2, num_beams=1, source=4, capacity=4))
    assert {x.dtype for x in (*slots.memory.values(), *slots.state.values())} == {np.dtype(np.float16)}
    assert {spec.dtype for spec in bundle.manifest.memory} == {"float32"}


def test_weights_are_half_as_large(bundle) -> None:
    whole, half = ((bundle.folder / p / "weights.bin").stat().st_size for p in ("float32", "float16"))
    assert half < 0.55 * whole


def test_masked_scores_stay_finite(bundle) -> None:
    """Minus infinity times 0 would be NaN, and the float32 mask exceeds the range of float16."""
    step = onnx.load(bundle.path("float16/step.onnx"), load_external_data=False)
    small = [onnx.numpy_helper.to_array(x) for x in step.graph.initializer if x.raw_data]
    halves = [x for x in small if x.dtype == np.float16]
    assert min(float(x.min()) for x in halves) == np.float16(-30_000)
    assert np.finfo(np.float16).min > MASKED_SCORE


def test_gpus_come_first(bundle) -> None:
    half = next(v for v in bundle.manifest.variants if v.precision == "float16")
    assert half.providers == ("CUDAExecutionProvider", "CPUExecutionProvider")


@pytest.mark.parametrize("encoder", [tiny_vision(), tiny_bert()], ids=["pictures", "texts"])
def test_inputs_are_those_of_every_precision(tmp_path: Path, encoder: EncoderConfig) -> None:
    model = encoder_decoder.from_checkpoint(encoder_decoder_checkpoint(encoder))
    half, whole = (
        write_tiny_bundle(tmp_path / precision, model, precision).manifest.variants[0] for precision in PRECISIONS
    )
    assert half.encode.inputs == whole.encode.inputs


@pytest.mark.parametrize("name", ["transformer", "recurrent", "captioner"])
def test_candidates_are_ranked_as_gpus_do(tmp_path: Path, name: str) -> None:
    make = {
        "transformer": lambda: transformer.from_checkpoint(tiny_checkpoint()),
        "recurrent": lambda: recurrent.from_checkpoint(tiny_recurrent_checkpoint()),
        "captioner": lambda: captioner.from_checkpoint(tiny_captioner_checkpoint(tiny_lstm())),
    }
    bundle = write_tiny_bundle(tmp_path / "bundle", make[name](), "float16")
    nodes = onnx.load(bundle.path("float16/step.onnx"), load_external_data=False).graph.node
    assert [node.op_type for node in nodes].count("TopK") == 1  # ungrouped ranking


def test_models_that_copy_are_refused_before_anything_is_built(tmp_path: Path) -> None:
    model = pointer_generator.from_checkpoint(tiny_pointer_checkpoint())
    options = ExportOptions("tiny", "1", ("float32", "float16"), {})
    with pytest.raises(ExportError, match="float16 is not offered for models that copy words"):
        export(model, tmp_path / "bundle", options, pytest.fail)
