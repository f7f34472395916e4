"""Metrics of several processes as if they were one's."""

import pickle

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from regard_service.domain.models import ModelInfo
from regard_service.observability.merging import collected, counts, merged, registry_of
from regard_service.observability.metrics import Metrics


def process(num_calls: int, waits_s: list[float], *, is_ready: bool = True) -> CollectorRegistry:
    metrics = Metrics()
    for _ in range(num_calls):
        metrics.engine.finished("everyday", "done", 14, "decode")
    for wait_s in waits_s:
        metrics.engine.admitted("everyday", wait_s, 5)
    metrics.engine.queued("everyday", num_calls)
    metrics.watch_models(lambda: [ModelInfo("everyday", "ready" if is_ready else "failed", load_s=0.5)])
    return metrics.registry


def sent(registry: CollectorRegistry) -> list[object]:
    found: list[object] = pickle.loads(pickle.dumps(collected(registry)))
    return found


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.floats(0, 200), max_size=3)), min_size=1, max_size=4))
def test_counters_histograms_and_queues_add_up(processes: list[tuple[int, list[float]]]) -> None:
    one = process(sum(calls for calls, _ in processes), [wait for _, waits in processes for wait in waits])
    together = registry_of(merged([sent(process(*each)) for each in processes]))  # type: ignore[misc]
    for name, labels in (
        ("regard_requests_total", {"model": "everyday", "outcome": "done"}),
        ("regard_queue_wait_seconds_bucket", {"model": "everyday", "le": "1.0"}),
        ("regard_queue_wait_seconds_count", {"model": "everyday"}),
        ("regard_queue_depth", {"model": "everyday"}),
    ):
        assert together.get_sample_value(name, labels) == one.get_sample_value(name, labels), name


def test_a_model_is_ready_if_it_is_in_every_process() -> None:
    both = [collected(process(1, [])), collected(process(1, [], is_ready=False))]
    assert registry_of(merged(both)).get_sample_value("regard_model_ready", {"model": "everyday"}) == 0
    both[1] = collected(process(1, []))
    assert registry_of(merged(both)).get_sample_value("regard_model_ready", {"model": "everyday"}) == 1
    assert registry_of(merged(both)).get_sample_value("regard_model_load_seconds", {"model": "everyday", "version": ""})


def test_the_counts_of_a_process_that_has_ended_remain_and_its_gauges_do_not() -> None:
    ended = counts(collected(process(2, [0.1])))
    registry = registry_of(merged([ended, collected(process(1, []))]))
    assert registry.get_sample_value("regard_requests_total", {"model": "everyday", "outcome": "done"}) == 3
    assert registry.get_sample_value("regard_queue_depth", {"model": "everyday"}) == 1


def test_what_is_merged_is_written_as_prometheus_reads_it() -> None:
    text = generate_latest(registry_of(merged([collected(process(1, [0.1])), collected(process(2, [9.0]))]))).decode()
    read = {family.name: family for family in text_string_to_metric_families(text)}
    waits = [sample.value for sample in read["regard_queue_wait_seconds"].samples if sample.name.endswith("_bucket")]
    assert waits == sorted(waits)
    assert waits[-1] == 2
