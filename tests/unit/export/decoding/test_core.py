"""Verification, calibration, alignment and the warm-up decode with the core that serves; none has a loop of its own."""

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import regard_export
from regard_export.decoding import variant_engine
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.examples.dev_sets import DevExample
from regard_export.examples.sentences import EXAMPLE_SENTENCES
from regard_export.families.regard_checkpoints import transformer
from regard_export.tuning import calibration
from regard_export.tuning.alignment_heads import choose_alignment_heads
from regard_export.tuning.calibration import calibrate
from regard_export.verification.verifier import Verifier
from regard_service.bundle import Bundle
from regard_service.engine.core.batch import RunningBatch
from regard_service.generation import Generation
from regard_service.repository import warm_up
from tests.unit.export.transformer_checkpoints import tiny_checkpoint, write_tiny_bundle

CORE, SEARCH = "regard_service.engine.core", "regard_service.engine.search"
# Teacher forcing and timing run steps, but search nothing.
STEPPING_FUNCTIONS = {"regard_export.decoding.variant_engine": {"teacher_force", "step_seconds"}}
WITH_SUPER = {"regard_export.decoding.low_memory_runner": {"step"}}


def _imports(module: ModuleType) -> set[str]:
    tree = ast.parse(inspect.getsource(module))
    return {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}


def _export_modules() -> Iterator[ModuleType]:
    root = Path(regard_export.__path__[0])
    for file in root.rglob("*.py"):
        if file.name not in ("__init__.py", "__main__.py"):
            yield importlib.import_module(".".join(file.relative_to(root.parent).with_suffix("").parts))


def _functions_that_step_a_runner(module: ModuleType) -> set[str]:
    """Names of functions that call `step` of anything but a running batch."""
    return {
        function.name
        for function in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "step"
        if "runner" in ast.unparse(call.func.value) or "super()" in ast.unparse(call.func.value)
    }


@pytest.mark.parametrize("module", [variant_engine, calibration, warm_up], ids=lambda module: module.__name__)
def test_modules_that_decode_import_the_core(module: ModuleType) -> None:
    assert any(name.startswith(f"{CORE}.") for name in _imports(module))


def test_the_export_imports_no_search() -> None:
    assert {m.__name__ for m in _export_modules() if any(name.startswith(SEARCH) for name in _imports(m))} == set()


def test_only_teacher_forcing_and_timing_step_a_runner() -> None:
    found = {m.__name__: _functions_that_step_a_runner(m) for m in (*_export_modules(), warm_up)}
    assert {name: functions for name, functions in found.items() if functions} == STEPPING_FUNCTIONS | WITH_SUPER


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_tiny_bundle(tmp_path / "bundle", transformer.from_checkpoint(tiny_checkpoint()), "float32")


def _verify(bundle: Bundle) -> None:
    Verifier(bundle, None, {}, lambda _: None).run()


def _align(bundle: Bundle) -> None:
    choose_alignment_heads(bundle, {"de": [DevExample(text, ("",)) for text in EXAMPLE_SENTENCES[:2]]})


def _calibrate(bundle: Bundle) -> None:
    calibrate(transformer.from_checkpoint(tiny_checkpoint()).architecture, bundle, {})


@pytest.mark.parametrize("run", [_verify, _align, _calibrate], ids=["verification", "alignment", "calibration"])
def test_greedy_decoding_runs_the_path_that_serves(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, run: Callable[[Bundle], None]
) -> None:
    """`RunningBatch._step_ahead` takes best candidates without a search between steps."""
    monkeypatch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
    monkeypatch.setattr("regard_export.tuning.calibration.MAX_SOURCES", 2)
    monkeypatch.setattr("regard_export.verification.verifier.TIMED_BATCH_SIZES", (1,))
    num_calls, step_ahead = 0, RunningBatch._step_ahead

    def counted(self: RunningBatch, *arguments: Any) -> Any:
        nonlocal num_calls
        num_calls += 1
        return step_ahead(self, *arguments)

    monkeypatch.setattr(RunningBatch, "_step_ahead", counted)
    run(bundle)
    assert num_calls > 0


def test_results_have_the_order_of_the_sources(bundle: Bundle) -> None:
    """Also when there are more of them than rows, and shorter ones finish first."""
    engine = VariantEngine(bundle, "float32")
    sources = [[4 + index % 3, *range(300, 303 + index % 7), 2] for index in range(40)]
    generations = [Generation(2 + index % 5) for index in range(40)]
    together = list(engine.search_each(sources, generations, attention=False))
    for source, generation, found in zip(sources, generations, together, strict=True):
        (alone,) = engine.search([source], generation, attention=False)
        assert found.tokens.tolist() == alone.tokens.tolist()
