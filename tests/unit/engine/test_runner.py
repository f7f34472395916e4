from pathlib import Path

import pytest
from onnxruntime import InferenceSession

from export.families import regard
from service.engine.runner import Runner
from tests.unit.export.checkpoints import tiny_checkpoint, write_tiny_bundle

SAFE_PRODUCTS = "session.x64quantprecision"
SHARED_ARENA = "session.use_env_allocators"


def _set(session: InferenceSession, option: str) -> str | None:
    """An option's value; ONNX Runtime raises for what is not set."""
    try:
        value: str = session.get_session_options().get_session_config_entry(option)
    except RuntimeError:
        return None
    return value


@pytest.mark.parametrize("narrow_weights", [True, False])
def test_eight_bit_products_never_overflow(tmp_path: Path, *, narrow_weights: bool) -> None:
    """CPUs without VNNI add two 8-bit products up in 16 bits: weights are small enough, or sessions are told not to."""
    bundle = write_tiny_bundle(tmp_path / "tiny", regard.from_checkpoint(tiny_checkpoint()), "int8")
    (variant,) = bundle.manifest.variants
    assert variant.narrow_weights
    runner = Runner(bundle, variant.model_copy(update={"narrow_weights": narrow_weights}))
    for session in (runner._encode, runner._step):
        assert _set(session, SAFE_PRODUCTS) == (None if narrow_weights else "1")


def test_all_models_share_an_arena(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "tiny", regard.from_checkpoint(tiny_checkpoint()), "float32")
    (variant,) = bundle.manifest.variants
    for runner in (Runner(bundle, variant), Runner(bundle, variant)):
        assert [_set(session, SHARED_ARENA) for session in (runner._encode, runner._step)] == ["1", "1"]
