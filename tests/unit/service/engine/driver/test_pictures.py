"""Pictures in the engine: encoded one at a time, answered as if each were alone."""

import asyncio
from pathlib import Path

import numpy as np

from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.driver.engine import Engine
from regard_service.engine.policy.policy import EngineConfig
from regard_service.engine.runtime.runner import Runner
from regard_service.generation import Generation
from tests.toys import SIDE, write_captioner


class Encodings(EngineObserver):
    def __init__(self) -> None:
        self.sizes: list[int] = []

    def encoded(self, model: str, num_requests: int, seconds: float) -> None:
        self.sizes.append(num_requests)


async def test_pictures_join_one_by_one(tmp_path: Path) -> None:
    bundle = write_captioner(tmp_path / "colours")
    runner, observer = Runner(bundle, bundle.manifest.variants[0]), Encodings()
    scheduler = Engine(EngineConfig(num_workers=2), observer)
    shades = np.random.default_rng(0).uniform(-1, 1, (40, 3, SIDE, SIDE)).astype(np.float32)
    shades += np.linspace(-1, 1, 40, dtype=np.float32)[:, None, None, None]
    requests = [EngineRequest(pixels, Generation(max_new_tokens=8), attention=True) for pixels in shades]
    try:
        together = await asyncio.gather(*(scheduler.generate(runner, request) for request in requests))
        alone = [await scheduler.generate(runner, request) for request in requests]
    finally:
        await asyncio.to_thread(scheduler.close)
    assert observer.sizes == [1] * 80
    for one, other in zip(together, alone, strict=True):
        best, expected = one.hypotheses[0], other.hypotheses[0]
        assert best.tokens.tolist() == expected.tokens.tolist()
        assert best.cross_attention is not None
        assert best.cross_attention.shape == (1, 1, len(best.tokens), 4)
    assert len({tuple(result.hypotheses[0].tokens.tolist()) for result in together}) > 1
