"""The profile: exclusive times, ONNX Runtime's events, the roofline's shares, tables and picture."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.machine import Machine
from benchmarks.profile import operators, watched_functions
from benchmarks.profile.profile_report import EngineProfile, Graph, Peaks, ProfileReport, ServerProfile
from benchmarks.profile.shares_picture import draw
from benchmarks.profile.stopwatch import Stopwatch
from benchmarks.report.documents import markdown, read_report
from regard_service.engine.runtime.runner import Runner

MACHINE = Machine(
    cpu="A processor", cores=2, cpu_features=(), memory_gib=8, system="Linux x86_64", python="3.12.1", packages={},
    load_before=0.1,
)  # fmt: skip


class Outer:
    def call(self, inner: "Inner") -> int:
        burn(0.02)
        return inner.call()


class Inner:
    def call(self) -> int:
        burn(0.04)
        raise ValueError("not today")


def burn(seconds: float) -> None:
    """Uses an amount of CPU time."""
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


def test_time_in_a_watched_function_counts_once_and_also_where_it_raises() -> None:
    stopwatch = Stopwatch()
    stopwatch.watch(Outer, "call", "outer")
    stopwatch.watch(Inner, "call", "inner")
    before = time.thread_time()
    with pytest.raises(ValueError, match="today"):
        Outer().call(Inner())
    used = time.thread_time() - before
    found = stopwatch.take()
    assert found["inner"] >= 0.04
    assert found["outer"] >= 0.02
    assert sum(found.values()) <= used, "nothing counts twice"
    assert stopwatch.take() == {}


def node(name: str, us: int, given: dict[str, list[int]], made: dict[str, list[int]]) -> dict[str, Any]:
    shapes = {"input_type_shape": [given], "output_type_shape": [made]}
    return {"cat": "Node", "name": f"{name}_1_kernel_time", "dur": us, "args": {"op_name": name, **shapes}}


def test_operators_are_grouped_and_their_work_is_counted(tmp_path: Path) -> None:
    run = [
        node("MatMulIntegerToFloat", 30, {"uint8": [2, 8]}, {"float": [2, 16]}),
        node("MatMulIntegerToFloat", 40, {"uint8": [2, 8]}, {"float": [2, 100]}),
        node("Gemm", 10, {"float": [2, 8]}, {"float": [2, 4]}),
        node("MatMul", 5, {"float": [2, 4, 1, 8]}, {"float": [2, 4, 1, 9]}),
        node("TakeASeat", 3, {"float": [2]}, {"float": [2]}),
        {"cat": "Session", "name": "model_run", "dur": 100},
    ]
    file = tmp_path / "profile.json"
    file.write_text(json.dumps(run * 2), encoding="utf-8")
    found = operators.read(file, vocab_size=100)
    assert (found.num_runs, found.us, found.num_nodes) == (2, 100, 5)
    assert found.us_by_group == {
        operators.HEAD: 40, "products": 40, operators.BETWEEN: 12, "cross-attention": 5, operators.OTHER: 3,
    }  # fmt: skip
    assert found.num_macs == 2 * 8 * 16 + 2 * 8 * 100 + 2 * 8 * 4
    assert found.weight_bytes == 8 * 16 + 8 * 100 + 4 * 8 * 4


def test_every_watched_function_is_there() -> None:
    """Fails if the server renames a watched function. Fakes the stopwatch, since watching changes classes."""
    watched: list[tuple[Any, str]] = []

    class Looks(Stopwatch):
        def watch(self, owner: Any, name: str, stage: str) -> None:
            assert stage in watched_functions.STAGES
            assert callable(getattr(owner, name))
            watched.append((owner, name))

    watched_functions.watch_server(Looks())
    step = Runner.step
    try:
        watched_functions.watch_engine(Looks(), {"steps": 0})
    finally:
        Runner.step = step  # type: ignore[method-assign]  # undoes the watching
    assert len(set(watched)) == len(watched)


def report() -> ProfileReport:
    graph = Graph(
        us=100, us_by_group={"products": 60, "between operators": 40}, us_by_operator={"MatMul": 60}, num_nodes=7,
        num_macs=2e6, weight_bytes=1e6,
    )  # fmt: skip
    engine = EngineProfile(
        model="m", batch=8, num_tokens=80, num_steps=10, cpu_us_by_stage={"encode": 50, "steps": 80, "rest": 9},
        step_us=80, encode=graph, step=graph,
    )  # fmt: skip
    server = ServerProfile(
        model="m", num_clients=32, num_requests=9, tokens_per_s=100, wall_ms={"queue": 1, "all": 5},
        cpu_ms_by_stage={"steps": 3, "gRPC and event loop": 1},
    )  # fmt: skip
    return ProfileReport(
        date=datetime(2026, 1, 2, tzinfo=UTC), command="python -m benchmarks.profile", commit="", machine=MACHINE,
        peaks=Peaks(int8_gmacs_per_s=(50, 100), gb_read_per_s=(25, 30)), engine=(engine,), server=(server,),
    )  # fmt: skip


def test_shares_of_the_peaks() -> None:
    macs, read = report().engine[0].shares(report().peaks)
    assert macs == pytest.approx(2e6 / 80e-6 / 50e9)
    assert read == pytest.approx(1e6 / 80e-6 / 25e9)


def test_the_report_is_read_back_and_shown(tmp_path: Path) -> None:
    report().write(tmp_path / "profile.json")
    text = markdown(read_report(tmp_path / "profile.json"))
    assert "| CPU: all | 4.00 |" in text
    assert "| % of the 8-bit peak | 50 |" in text
    draw(report(), tmp_path / "profile.svg")
    assert (tmp_path / "profile.svg").read_text(encoding="utf-8").count("<svg") == 1
