"""Metrics: the documented ones, and the engine's events in them."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest

from regard_service.domain.calls import AttentionOptions
from regard_service.domain.models import ModelInfo
from regard_service.domain.results import AttentionMap, Result, Source, Timings
from regard_service.engine.usage import Usage
from regard_service.observability.merging import of_processes
from regard_service.observability.metrics import EngineMetrics, Metrics

DOCS = Path(__file__).parents[4] / "docs" / "metrics.md"
MAP = AttentionMap("alignment", np.zeros((3, 5), np.float32))
OF_SEVERAL_PROCESSES = frozenset({"regard_processes", "regard_replaced_processes_total"})
OWN = re.compile(r"(grpc_server|regard)_")


def documented() -> dict[str, tuple[str, set[str]]]:
    """Returns type and labels by name, from the tables of docs/metrics.md."""
    found = {}
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        row = re.match(r"\| `(\w+)` \| (\w+) \| (.+?) \|", line)
        if row:
            name, kind, labels = row.groups()
            found[name] = (kind, set(re.findall(r"`(\w+)`", labels)))
    grpc = found["grpc_server_started_total"][1]
    found["grpc_server_handled_total"] = ("counter", grpc | {"grpc_code"})
    return found


def registered(*metrics: Metric) -> dict[str, tuple[str, set[str]]]:
    """Returns type and labels by name, from samples: every series needs one."""
    found = {}
    for metric in metrics:
        if OWN.match(metric.name):
            name = metric.name + ("_total" if metric.type == "counter" else "")
            labels = {label for sample in metric.samples for label in sample.labels if label != "le"}
            found[name] = (metric.type, labels)
    return found


RESULT = Result((), Source(), Timings(0.0, 0.0, 0.0), "everyday", "1")


def touched() -> Metrics:
    """Returns metrics with at least one sample each."""
    metrics = Metrics()
    metrics.grpc.expect([("unary", "regard.v1.AttentionService", "Translate")])
    metrics.watch_models(lambda: [ModelInfo("everyday", "ready", load_s=0.5)])
    metrics.watch_engine(lambda: {"everyday": Usage(num_slots=32)})
    play(metrics.engine)
    metrics.doors.observer("libretranslate", "Translate")(200, 0.25)
    metrics.doors.count_characters("deepl", "", 21)
    metrics.attention.count("everyday", [MAP], AttentionOptions(encoding="float16", top_k=2))
    metrics.outputs.count([RESULT, replace(RESULT, risk="high"), replace(RESULT, risk="high")])
    return metrics


def play(engine: EngineMetrics) -> None:
    engine.queued("everyday", 3)
    engine.admitted("everyday", 0.02, 12)
    engine.encoded("everyday", 2, 0.004)
    engine.live("everyday", 8)
    engine.stepped("everyday", 8, 0.003)
    engine.first_token("everyday", 0.03)
    engine.finished("everyday", "done", 14, "decode")
    engine.finished("everyday", "deadline", 0, "queue")


def test_the_documented_metrics_are_registered_and_no_others() -> None:
    actual = registered(*touched().registry.collect(), *of_processes(2, 1))
    expected = documented()
    model_info = ("gauge", {"model", "version", "task", "provider", "precision"})
    assert expected.pop("regard_model_info") == model_info
    actual.pop("regard_model_info")
    assert actual == expected
    assert expected.keys() >= OF_SEVERAL_PROCESSES


def test_engine_events_are_counted_by_model() -> None:
    registry = touched().registry
    by_model = {"model": "everyday"}
    assert registry.get_sample_value("regard_queue_depth", by_model) == 3
    assert registry.get_sample_value("regard_live_slots", by_model) == 8
    assert registry.get_sample_value("regard_source_tokens_total", by_model) == 12
    assert registry.get_sample_value("regard_generated_tokens_total", by_model) == 14
    assert registry.get_sample_value("regard_step_slots_sum", by_model) == 8
    assert registry.get_sample_value("regard_step_seconds_bucket", by_model | {"le": "0.003"}) == 1
    assert registry.get_sample_value("regard_requests_total", by_model | {"outcome": "done"}) == 1


def test_the_bytes_of_encoded_maps_are_counted() -> None:
    labels = {"model": "everyday", "kind": "alignment"}
    num_bytes = 3 * 2 * (2 + 2)  # rows, weights kept per row, bytes of a float16 and of an index
    assert touched().registry.get_sample_value("regard_attention_bytes_total", labels) == num_bytes


def test_interruptions_are_counted_by_phase() -> None:
    metrics = touched()
    metrics.engine.finished("everyday", "cancelled", 3, "decode")
    metrics.engine.finished("everyday", "failed", 0, "encode")
    counted = {
        (sample.labels["outcome"], sample.labels["phase"]): sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "regard_interrupted_requests_total"
    }
    assert counted == {("deadline", "queue"): 1, ("cancelled", "decode"): 1}


def test_every_reason_is_documented_and_has_a_series_from_the_start() -> None:
    registry = Metrics().registry
    assert registry.get_sample_value("regard_refused_calls_total", {"reason": "OVERLOADED"}) == 0
    there = {
        sample.labels["reason"]
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "regard_refused_calls_total"
    }
    rows = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if re.match(r"\| `[A-Z]", line)]
    assert there == {reason for row in rows for reason in re.findall(r"`([A-Z_]+)`", row)}


def test_failures_are_no_refusals() -> None:
    metrics = Metrics()
    for reason in ("INTERNAL", "OVERLOADED", "what no error has"):
        metrics.refusals.count(reason)
    values = [
        sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "regard_refused_calls_total"
    ]
    assert sum(values) == 1


def test_servers_do_not_share_metrics() -> None:
    first, second = Metrics(), Metrics()
    first.engine.queued("everyday", 3)
    assert second.registry.get_sample_value("regard_queue_depth", {"model": "everyday"}) is None


def test_buckets_reach_from_milliseconds_to_minutes() -> None:
    registry = touched().registry
    bounds = [
        float(sample.labels["le"])
        for metric in registry.collect()
        if metric.name == "grpc_server_handling_seconds"
        for sample in metric.samples
        if sample.name.endswith("_bucket")
    ]
    assert min(bounds) <= 0.001
    assert sorted(bounds)[-2] >= 60


def test_process_and_garbage_collector_have_metrics() -> None:
    text = generate_latest(Metrics().registry).decode()
    assert "process_resident_memory_bytes" in text
    assert "python_gc_collections" in text


def test_models_are_collected_at_every_scrape() -> None:
    metrics = Metrics()
    models = [ModelInfo("everyday", "ready")]
    metrics.watch_models(lambda: models)
    assert metrics.registry.get_sample_value("regard_model_ready", {"model": "everyday"}) == 1
    models[:] = [ModelInfo("damaged", "failed", reasons=("no manifest",))]
    assert metrics.registry.get_sample_value("regard_model_ready", {"model": "everyday"}) is None
    assert metrics.registry.get_sample_value("regard_model_ready", {"model": "damaged"}) == 0


@pytest.mark.parametrize(("risk", "count"), [("unknown", 1), ("high", 2)])
def test_outputs_are_counted_by_risk(risk: str, count: int) -> None:
    labels = {"model": "everyday", "risk": risk}
    assert touched().registry.get_sample_value("regard_outputs_total", labels) == count


def test_characters_are_counted_by_door_and_caller() -> None:
    metrics = Metrics()
    metrics.doors.count_characters("deepl", "web", 21)
    metrics.doors.count_characters("deepl", "web", 4)
    assert metrics.doors.characters(metrics.registry, "deepl", "web") == 25
    assert metrics.doors.characters(metrics.registry, "deepl", "other") == 0
