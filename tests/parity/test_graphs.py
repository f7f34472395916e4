"""The exported graphs against the originals in PyTorch, for every option of their configs."""

from collections.abc import Iterator

import numpy as np
import pytest

from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import Ids, VariantEngine
from regard_export.references.protocols import Source, TeacherForced
from regard_export.resources.threads import half_of_torch_threads
from regard_export.verification import graph_checks
from regard_export.verification.check_report import Check
from regard_service.bundle import Precision
from regard_service.generation import Generation
from tests.parity.families.variants import NUM_SOURCES, VARIANTS, Variant, sources_of
from tests.unit.export.transformer_checkpoints import write_tiny_bundle

MAX_TARGET = 9


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    with half_of_torch_threads():
        yield


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda variant: variant.name)
def variant(request: pytest.FixtureRequest) -> Variant:
    chosen: Variant = request.param
    return chosen


@pytest.fixture(scope="module")
def model(variant: Variant, tmp_path_factory: pytest.TempPathFactory) -> SourceModel:
    return variant.load(tmp_path_factory.mktemp("variant"))


@pytest.fixture(scope="module")
def engines(model: SourceModel, tmp_path_factory: pytest.TempPathFactory) -> dict[Precision, VariantEngine]:
    bundle = write_tiny_bundle(tmp_path_factory.mktemp("parity") / "bundle", model, "float32", "int8")
    return {precision: VariantEngine(bundle, precision) for precision in ("float32", "int8")}


@pytest.fixture(scope="module")
def sources(model: SourceModel) -> list[Source]:
    return sources_of(model)


@pytest.fixture(scope="module")
def targets(model: SourceModel, sources: list[Source]) -> list[Ids]:
    """Targets of many lengths, which begin with the start token; for models that copy they hold copies."""
    rng = np.random.default_rng(1)
    lengths = (MAX_TARGET, 1, *rng.integers(1, MAX_TARGET, NUM_SOURCES - 2))
    copies = [np.shape(source)[-1] if model.target.copies else 0 for source in sources]
    return [
        [model.target.start_id, *rng.integers(6, model.target.vocab_size + more, length).tolist()]
        for more, length in zip(copies, lengths, strict=True)
    ]


def _assert_all(found: Iterator[Check]) -> None:
    assert [f"{check.name}: {check.value}" for check in found if not check.has_passed] == []


def test_every_step_equals(model, engines, sources, targets) -> None:
    expected = [model.reference.teacher_force(source, target) for source, target in zip(sources, targets, strict=True)]
    memory = [model.reference.memory(source) for source in sources]
    assert all(len(each) == len(model.architecture.memory) for each in memory)
    _assert_all(graph_checks.compare_memory(engines["float32"], memory, sources))
    _assert_all(graph_checks.compare_steps(expected, engines["float32"].teacher_force(sources, targets)))


def test_greedy_and_beam_outputs_equal(model, engines, sources) -> None:
    sources, reference, start_id = sources[:4], model.reference, model.target.start_id
    expected = {k: [reference.generate(source, Generation(8, k)) for source in sources] for k in (1, 4)}
    actual = {k: list(engines["float32"].search(sources, Generation(8, k))) for k in expected}
    if model.target.copies:
        assert any(token >= model.target.vocab_size for output in expected[4] for token in output.tokens)
    _assert_all(graph_checks.compare_greedy(reference, start_id, sources, expected[1], actual[1]))
    _assert_all(graph_checks.compare_beams(reference, start_id, sources, expected[4], actual[4]))


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_rows_are_sound_and_independent(engines, sources, targets, precision: Precision) -> None:
    _assert_all(
        graph_checks.check_soundness(engines[precision], sources, engines[precision].teacher_force(sources, targets))
    )
    _assert_all(graph_checks.check_row_independence(engines[precision], sources, targets))


def test_int8_is_close(variant, model, engines, sources, targets) -> None:
    def numbers(forced: TeacherForced) -> np.ndarray:
        return np.exp(forced.logits).ravel() if model.target.copies else forced.logits.ravel()

    plain, small = (
        np.concatenate([numbers(forced) for forced in engines[precision].teacher_force(sources, targets)])
        for precision in engines
    )
    assert np.abs(plain - small).mean() < variant.int8_noise * plain.std()
