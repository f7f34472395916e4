"""The serving graphs of our own vision transformer, BERT and cross-modal models against PyTorch."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from export import checks
from export.checks import Check
from export.exporting import ExportOptions, export
from export.families import encoder_decoder
from export.families.source import SourceModel
from export.reference import Source, half_of_the_threads
from export.serving import Ids, ServingGraphs
from models.bundle import Bundle, ImageSource, Precision
from models.nets.encoder_decoder import EncoderConfig
from service.engine.request import EngineRequest, Generation
from service.engine.runner import Runner
from service.engine.scheduler import Scheduler, SchedulerConfig
from tests.unit.export.checkpoints import write_tiny_bundle
from tests.unit.export.encoder_decoder_checkpoints import (
    tiny_bert,
    tiny_checkpoint,
    tiny_prompted,
    tiny_vision,
)

MODELS: dict[str, tuple[EncoderConfig, dict[str, object]]] = {
    "vision transformer": (tiny_vision(), {}),
    "vision transformer of patches only": (tiny_vision(class_tokens=0, width=32, relative_positions=True), {}),
    "bert": (tiny_bert(), {}),
    "bert, decoder alike": (tiny_bert(width=32), {"norm": "post", "final_norm": False, "embedding_norm": True}),
    "prompted vision": (tiny_prompted(), {}),
    "prompted vision, norm first": (tiny_prompted(norm="pre"), {"head_transform": True, "activation": "gelu_tanh"}),
}
NUM_SOURCES = 5
TARGET_LENGTHS = (9, 1, 4, 6, 2)


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    with half_of_the_threads():
        yield


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> SourceModel:
    encoder, options = MODELS[request.param]
    return encoder_decoder.from_checkpoint(tiny_checkpoint(encoder, **options))


@pytest.fixture(scope="module")
def bundle(model: SourceModel, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_tiny_bundle(tmp_path_factory.mktemp("parity") / "bundle", model, "float32", "int8")


@pytest.fixture(scope="module")
def graphs(bundle: Bundle) -> dict[Precision, ServingGraphs]:
    return {precision: ServingGraphs(bundle, precision) for precision in ("float32", "int8")}


@pytest.fixture(scope="module")
def sources(model: SourceModel) -> list[Source]:
    """Pixels, or texts of many lengths, one token among them."""
    rng = np.random.default_rng(0)
    if isinstance(model.source, ImageSource):
        shape = (3, model.source.height, model.source.width)
        return [rng.standard_normal(shape).astype(np.float32) for _ in range(NUM_SOURCES)]
    return [rng.integers(6, 400, length).tolist() for length in (1, 21, 5, 8, 13)]


@pytest.fixture(scope="module")
def targets() -> list[Ids]:
    """Of many lengths; each begins with the start token."""
    rng = np.random.default_rng(1)
    return [[1, *rng.integers(6, 400, length).tolist()] for length in TARGET_LENGTHS]


def _assert_all(found: Iterator[Check]) -> None:
    assert [f"{check.name}: {check.value}" for check in found if not check.passed] == []


def test_every_step_equals(model, graphs, sources, targets) -> None:
    expected = [model.reference.force(source, target) for source, target in zip(sources, targets, strict=True)]
    _assert_all(checks.memory_equals(graphs["float32"], [model.reference.memory(s) for s in sources], sources))
    _assert_all(checks.steps_equal(expected, graphs["float32"].force(sources, targets)))


def test_greedy_and_beam_outputs_equal(model, graphs, sources) -> None:
    reference, start_id = model.reference, model.target.start_id
    expected = {k: [reference.generate(source, Generation(8, k)) for source in sources] for k in (1, 4)}
    actual = {k: list(graphs["float32"].decode(sources, num_beams=k, max_new_tokens=8)) for k in expected}
    _assert_all(checks.greedy_equals(reference, start_id, sources, expected[1], actual[1]))
    _assert_all(checks.beams_equal(reference, start_id, sources, expected[4], actual[4]))


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_rows_are_sound_and_independent(graphs, sources, targets, precision: Precision) -> None:
    _assert_all(checks.sound(graphs[precision], sources, graphs[precision].force(sources, targets)))
    _assert_all(checks.rows_independent(graphs[precision], sources, targets))


@pytest.mark.parametrize("beams", [1, 3])
async def test_through_the_engine_alone_and_among_others(bundle, graphs, sources, beams: int) -> None:
    runner, scheduler = Runner(bundle, bundle.manifest.variants[0]), Scheduler(SchedulerConfig(num_workers=1))
    generation = Generation(max_new_tokens=8, num_beams=beams)
    requests = [EngineRequest(np.array(source), generation, attention=True) for source in sources]
    try:
        alone = [await scheduler.generate(runner, request) for request in requests]
        among = await asyncio.gather(*(scheduler.generate(runner, request) for request in requests))
    finally:
        scheduler.close()
    expected = graphs["float32"].decode(sources, num_beams=beams, max_new_tokens=8)
    for one, other, decoded in zip(alone, among, expected, strict=True):
        best = one.hypotheses[0]
        assert best.tokens.tolist() == other.hypotheses[0].tokens.tolist() == decoded.hypothesis.tokens.tolist()
        np.testing.assert_allclose(best.cross_attention, other.hypotheses[0].cross_attention, atol=1e-5)
        np.testing.assert_allclose(best.cross_attention.sum(-1), 1, atol=1e-4)


def test_a_whole_export_passes_every_check(model, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("export.verify.NUM_SENTENCES", 3)
    monkeypatch.setattr("export.verify.MAX_NEW_TOKENS", 6)
    options = ExportOptions("seen", "1", ("float32",), {})
    assert export(model, tmp_path / "bundle", options, lambda _: None).manifest.verification["passed"]
