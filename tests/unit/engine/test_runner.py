from pathlib import Path

import pytest
from onnxruntime import InferenceSession

from export.families import regard
from service.engine.runner import Runner
from tests.unit.export.checkpoints import tiny_checkpoint, write_tiny_bundle

SAFE_PRODUCTS = "session.x64quantprecision"


def _config(session: InferenceSession) -> dict[str, str]:
    """What of the options under test is set; ONNX Runtime raises for what is not."""
    try:
        return {SAFE_PRODUCTS: session.get_session_options().get_session_config_entry(SAFE_PRODUCTS)}
    except RuntimeError:
        return {}


@pytest.mark.parametrize("narrow_weights", [True, False])
def test_eight_bit_products_never_overflow(tmp_path: Path, *, narrow_weights: bool) -> None:
    """CPUs without VNNI add two 8-bit products up in 16 bits: weights are small enough, or sessions are told not to."""
    bundle = write_tiny_bundle(tmp_path / "tiny", regard.from_checkpoint(tiny_checkpoint()), "int8")
    (variant,) = bundle.manifest.variants
    assert variant.narrow_weights
    runner = Runner(bundle, variant.model_copy(update={"narrow_weights": narrow_weights}))
    for session in (runner._encode, runner._step):
        assert _config(session).get(SAFE_PRODUCTS) == (None if narrow_weights else "1")
