"""The project's vision transformer, BERT and cross-modal models in the engine, alone and in a batch."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.families.regard_checkpoints import encoder_decoder
from regard_export.references.protocols import Source
from regard_export.resources.threads import half_of_torch_threads
from regard_service.bundle import Bundle
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.driver.engine import Engine
from regard_service.engine.policy.policy import EngineConfig
from regard_service.engine.runtime.runner import Runner
from regard_service.generation import Generation
from tests.parity.families.variants import ENCODER_DECODERS, sources_of
from tests.unit.export.encoder_decoder_checkpoints import tiny_checkpoint
from tests.unit.export.transformer_checkpoints import write_tiny_bundle

NUM_SOURCES = 5


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    with half_of_torch_threads():
        yield


@pytest.fixture(scope="module", params=ENCODER_DECODERS)
def model(request: pytest.FixtureRequest) -> SourceModel:
    encoder, options = ENCODER_DECODERS[request.param]
    return encoder_decoder.from_checkpoint(tiny_checkpoint(encoder, **options))


@pytest.fixture(scope="module")
def bundle(model: SourceModel, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_tiny_bundle(tmp_path_factory.mktemp("parity") / "bundle", model, "float32")


@pytest.fixture(scope="module")
def sources(model: SourceModel) -> list[Source]:
    return sources_of(model)[:NUM_SOURCES]


@pytest.mark.parametrize("beams", [1, 3])
async def test_through_the_engine_alone_and_among_others(bundle, sources, beams: int) -> None:
    runner, scheduler = Runner(bundle, bundle.manifest.variants[0]), Engine(EngineConfig(num_workers=1))
    generation = Generation(max_new_tokens=8, num_beams=beams)
    requests = [EngineRequest(np.array(source), generation, attention=True) for source in sources]
    try:
        alone = [await scheduler.generate(runner, request) for request in requests]
        among = await asyncio.gather(*(scheduler.generate(runner, request) for request in requests))
    finally:
        scheduler.close()
    expected = VariantEngine(bundle, "float32").search(sources, generation)
    for one, other, decoded in zip(alone, among, expected, strict=True):
        best, same = one.hypotheses[0], other.hypotheses[0]
        assert best.tokens.tolist() == same.tokens.tolist() == decoded.tokens.tolist()
        assert best.cross_attention is not None
        assert same.cross_attention is not None
        np.testing.assert_allclose(best.cross_attention, same.cross_attention, atol=1e-5)
        np.testing.assert_allclose(best.cross_attention.sum(-1), 1, atol=1e-4)
