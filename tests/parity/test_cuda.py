"""On a GPU, float16 outputs and maps equal those of float16 on the CPU. `pytest -m gpu`."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from regard_export.families.regard_checkpoints import transformer
from regard_service.bundle import Bundle
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.core.result import EngineResult
from regard_service.engine.driver.engine import Engine
from regard_service.engine.policy.policy import EngineConfig
from regard_service.engine.runtime.cuda import DeviceRunner
from regard_service.engine.runtime.runner import Runner
from regard_service.generation import Generation
from tests.unit.export.transformer_checkpoints import tiny_checkpoint, write_tiny_bundle

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    model = transformer.from_checkpoint(tiny_checkpoint())
    return write_tiny_bundle(tmp_path_factory.mktemp("cuda") / "bundle", model, "float16")


async def answer(runner: Runner, requests: Sequence[EngineRequest]) -> list[EngineResult]:
    scheduler = Engine(EngineConfig(num_workers=1))
    try:
        return list(await asyncio.gather(*(scheduler.generate(runner, request) for request in requests)))
    finally:
        await asyncio.to_thread(scheduler.close)


@pytest.mark.parametrize("beams", [1, 4])
async def test_outputs_and_maps_are_those_of_the_cpu(bundle: Bundle, beams: int) -> None:
    [variant] = bundle.manifest.variants
    rng = np.random.default_rng(0)
    generation = Generation(max_new_tokens=12, num_beams=beams)
    sources = [rng.integers(7, 20, length) for length in (3, 9, 5, 17, 4, 7)]
    requests = [EngineRequest(source, generation, attention=True) for source in sources]
    expected = await answer(Runner(bundle, variant), requests)
    actual = await answer(DeviceRunner(bundle, variant, "CUDAExecutionProvider"), requests)
    for one, other in zip(actual, expected, strict=True):
        best, same = one.hypotheses[0], other.hypotheses[0]
        assert best.tokens.tolist() == same.tokens.tolist()
        np.testing.assert_allclose(best.logprobs, same.logprobs, atol=1e-2)
        assert best.cross_attention is not None
        assert same.cross_attention is not None
        np.testing.assert_allclose(best.cross_attention, same.cross_attention, atol=5e-3)


@pytest.mark.parametrize("name", ["encode", "step"])
def test_no_node_falls_to_the_cpu(bundle: Bundle, name: str) -> None:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")  # loading fails if one would
    path = Path(bundle.path(f"float16/{name}.onnx"))
    session = onnxruntime.InferenceSession(path, options, providers=["CUDAExecutionProvider"])
    assert session.get_providers()[0] == "CUDAExecutionProvider"
