from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime import InferenceSession

from regard.arrays import Array
from regard_export.families.regard_checkpoints import transformer
from regard_service.bundle import Bundle, ImageSource, TextSource
from regard_service.engine.runtime.runner import MIN_POSITIONS_ON_ALL_CORES, Runner
from tests.unit.export.transformer_checkpoints import tiny_checkpoint, write_tiny_bundle

SAFE_PRODUCTS = "session.x64quantprecision"
SHARED_ARENA = "session.use_env_allocators"

ZOO = Path(__file__).parents[5] / "models" / "zoo"


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
    bundle = write_tiny_bundle(tmp_path / "tiny", transformer.from_checkpoint(tiny_checkpoint()), "int8")
    (variant,) = bundle.manifest.variants
    assert variant.narrow_weights
    runner = Runner(bundle, variant.model_copy(update={"narrow_weights": narrow_weights}))
    for session in (runner._encode, runner._step):
        assert _set(session, SAFE_PRODUCTS) == (None if narrow_weights else "1")


def test_all_models_share_an_arena(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "tiny", transformer.from_checkpoint(tiny_checkpoint()), "float32")
    (variant,) = bundle.manifest.variants
    for runner in (Runner(bundle, variant), Runner(bundle, variant)):
        assert [_set(session, SHARED_ARENA) for session in (runner._encode, runner._step)] == ["1", "1"]


def _sources(runner: Runner, lengths: Sequence[int]) -> list[Array]:
    """Texts of random pieces, or as many pictures of noise."""
    random, manifest = np.random.default_rng(7), runner.manifest
    if isinstance(manifest.source, TextSource):
        texts = [random.integers(0, manifest.target.vocab_size, length) for length in lengths]
        return [np.stack([text, text]) if manifest.target.copies else text for text in texts]
    assert isinstance(manifest.source, ImageSource)
    size = (3, manifest.source.height, manifest.source.width)
    return [random.standard_normal(size, np.float32) for _ in lengths]


@pytest.mark.parametrize(
    "name", ["everyday", "multi30k", "flickr8k", "headlines", "multi30k-bahdanau", "multi30k-luong"]
)
def test_what_is_encoded_on_all_cores_is_the_same_to_the_last_bit(name: str) -> None:
    bundle = Bundle.load(ZOO / name)
    (variant, *_) = bundle.manifest.variants
    runner = Runner(bundle, variant, num_cores=3)
    for lengths in ([30], [64], [5, 9, 31], [1, 24]):
        sources = _sources(runner, lengths)
        usual, other = runner.encode(sources), runner.encode_on_all_cores(sources)
        assert usual.keys() == other.keys()
        for memory in usual:
            np.testing.assert_array_equal(other[memory], usual[memory])


def test_only_large_sources_are_worth_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle.load(ZOO / "everyday")
    (variant, *_) = bundle.manifest.variants
    runner, used = Runner(bundle, variant, num_cores=2), []
    encoded = runner._encoded

    def noted(session: InferenceSession, sources: Sequence[Array]) -> dict[str, Array]:
        used.append(session.get_session_options().intra_op_num_threads)
        return encoded(session, sources)

    monkeypatch.setattr(runner, "_encoded", noted)
    half = MIN_POSITIONS_ON_ALL_CORES // 2
    for lengths in ([half], [half, half - 1], [half, half]):
        runner.encode_on_all_cores(_sources(runner, lengths))
    assert used == [1, 1, 2]
    runner.encode(_sources(runner, [64]))
    assert used[-1] == 1


def test_a_graph_that_would_compute_otherwise_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle.load(ZOO / "everyday")
    (variant, *_) = bundle.manifest.variants
    plain = Runner._encoded

    def rounding(self: Runner, session: InferenceSession, sources: Sequence[Array]) -> dict[str, Any]:
        last_bit = session.get_session_options().intra_op_num_threads == 2
        return {name: np.nextafter(x, np.inf) if last_bit else x for name, x in plain(self, session, sources).items()}

    monkeypatch.setattr(Runner, "_encoded", rounding)
    runner = Runner(bundle, variant, num_cores=2)
    sources = _sources(runner, [64])
    for name, values in runner.encode_on_all_cores(sources).items():
        np.testing.assert_array_equal(values, runner.encode(sources)[name])
