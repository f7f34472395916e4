"""Metrics of several processes as if they were one's."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

COUNTED = frozenset({"counter", "histogram", "summary"})
LARGEST = frozenset({"regard_model_info", "regard_model_state", "regard_model_load_seconds", "python_info"})
SMALLEST = frozenset({"regard_model_ready", "process_start_time_seconds", "process_max_fds"})
"""Gauges that are not sums over the processes: what one has, all have, or none is ready before all are."""


def collected(registry: CollectorRegistry) -> list[Metric]:
    """The metrics of this process, to send to another."""
    return list(registry.collect())


def merged(processes: Iterable[Sequence[Metric]]) -> list[Metric]:
    """Adds counters, histograms and most gauges; a model is ready if it is in every process."""
    found: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for metrics in processes:
        for metric in metrics:
            found.setdefault(metric.name, metric)
            samples = values.setdefault(metric.name, {})
            for sample in metric.samples:
                key = sample.name, tuple(sorted(sample.labels.items()))
                known = samples.get(key)
                together = _how(metric, sample)
                samples[key] = sample.value if known is None else together((known, sample.value))
    return [_with_samples(metric, values[name]) for name, metric in found.items()]


def counts(metrics: Iterable[Metric]) -> list[Metric]:
    """What remains of a process that has ended: its counters, which may not fall."""
    return [metric for metric in metrics if metric.type in COUNTED]


def of_processes(num_serving: int, num_replaced: int) -> list[Metric]:
    """What only the group of the processes knows."""
    serving = GaugeMetricFamily("regard_processes", "Processes that serve, of a server with several.")
    serving.add_metric((), num_serving)
    replaced = CounterMetricFamily("regard_replaced_processes", "Processes that ended and were replaced.")
    replaced.add_metric((), num_replaced)
    return [serving, replaced]


def registry_of(metrics: Sequence[Metric]) -> CollectorRegistry:
    """A registry that collects these metrics."""
    registry = CollectorRegistry()
    registry.register(_Collected(metrics))
    return registry


def _how(metric: Metric, sample: Sample) -> Callable[[Iterable[float]], float]:
    if sample.name.endswith("_created") or metric.name in SMALLEST:
        return min
    return max if metric.name in LARGEST else sum


def _with_samples(metric: Metric, values: dict[tuple[str, tuple[tuple[str, str], ...]], float]) -> Metric:
    result = Metric(metric.name, metric.documentation, metric.type, metric.unit)
    for (name, labels), value in values.items():
        result.add_sample(name, dict(labels), value)
    return result


class _Collected(Collector):
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics
