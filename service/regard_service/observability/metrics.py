"""Prometheus metrics: of gRPC, the engine, the models and the process. See docs/metrics.md.

Each server has its own registry; none is global.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from regard_service.bundle import PROVIDER_NAMES
from regard_service.convert.map_encoding import encoded_bytes
from regard_service.domain.calls import AttentionOptions
from regard_service.domain.models import ModelInfo
from regard_service.domain.results import AttentionMap, Result
from regard_service.engine.core.observer import EngineObserver, Outcome
from regard_service.engine.core.request import Phase
from regard_service.engine.usage import Usage
from regard_service.errors import ServiceError, all_reasons

# They reach from a step of a small model to a call of many long texts.
CALL_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
STEP_BUCKETS_S = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1)
SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

GRPC_LABELS = ("grpc_type", "grpc_service", "grpc_method")
INTERRUPTIONS = ("cancelled", "deadline")


class RefusalMetrics:
    """Counts calls refused or given up, by the reason in their status. Every reason has a series from the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        refused = Counter(
            "regard_refused_calls", "Calls refused or given up, by reason.", ("reason",), registry=registry
        )
        self._by_reason = {reason: refused.labels(reason) for reason in all_reasons() if reason != ServiceError.reason}

    def count(self, reason: str) -> None:
        """Counts a call that ended with an error. INTERNAL errors are no refusals."""
        counter = self._by_reason.get(reason)
        if counter is not None:
            counter.inc()


class GrpcMetrics:
    """Counts and times calls with the names and labels of go-grpc-prometheus, which dashboards expect."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.started = Counter("grpc_server_started", "Calls begun.", GRPC_LABELS, registry=registry)
        self.handled = Counter("grpc_server_handled", "Calls ended.", (*GRPC_LABELS, "grpc_code"), registry=registry)
        self.handling = Histogram(
            "grpc_server_handling_seconds",
            "How long calls took.",
            GRPC_LABELS,
            buckets=CALL_BUCKETS_S,
            registry=registry,
        )
        self.received = Counter("grpc_server_msg_received", "Messages received.", GRPC_LABELS, registry=registry)
        self.sent = Counter("grpc_server_msg_sent", "Messages sent.", GRPC_LABELS, registry=registry)

    def expect(self, methods: Iterable[tuple[str, str, str]]) -> None:
        """Creates the series of methods before their first call. Args: methods: type, service and name of each."""
        for labels in methods:
            self.started.labels(*labels)
            self.handled.labels(*labels, "OK")
            self.handling.labels(*labels)
            self.received.labels(*labels)
            self.sent.labels(*labels)


class AttentionMetrics:
    """Counts the maps in responses."""

    def __init__(self, registry: CollectorRegistry) -> None:
        sent = Counter(
            "regard_attention_bytes",
            "Bytes of attention maps in answers, as they are encoded.",
            ("model", "kind"),
            registry=registry,
        )
        self._sent = cache(sent.labels)

    def count(self, model: str, maps: Iterable[AttentionMap], options: AttentionOptions) -> None:
        """Counts the bytes of maps. Args: options: determine the encoding."""
        for each in maps:
            self._sent(model, each.kind).inc(encoded_bytes(each.values, options.encoding, options.top_k))


class DoorMetrics:
    """Counts and times the HTTP requests of doors, those included that no call is made of."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "regard_door_requests", "HTTP requests of doors, by status.", ("door", "call", "status"), registry=registry
        )
        self._characters = Counter(
            "regard_door_characters",
            "Characters of texts and documents that callers sent to doors.",
            ("door", "caller"),
            registry=registry,
        )
        self._seconds = Histogram(
            "regard_door_seconds",
            "How long HTTP requests of doors took.",
            ("door", "call"),
            buckets=CALL_BUCKETS_S,
            registry=registry,
        )

    def count_characters(self, door: str, caller: str, number: int) -> None:
        """Counts the characters of a call's texts."""
        self._characters.labels(door, caller).inc(number)

    @staticmethod
    def characters(registry: CollectorRegistry, door: str, caller: str) -> int:
        """Returns how many characters of a caller have been counted. Args: registry: of all processes of a server."""
        labels = {"door": door, "caller": caller}
        return round(registry.get_sample_value("regard_door_characters_total", labels) or 0)

    def observer(self, door: str, call: str) -> Callable[[int, float], None]:
        """Returns what counts the requests of a call, given their status and seconds. The series exist from now on."""
        by_status = cache(partial(self._requests.labels, door, call))
        seconds = self._seconds.labels(door, call)
        by_status("200")

        def observe(status: int, duration_s: float) -> None:
            by_status(str(status)).inc()
            seconds.observe(duration_s)

        return observe


RISKS = ("low", "high", "unknown")


class OutputMetrics:
    """Counts outputs by their risk, so that a drift of the inputs shows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        outputs = Counter(
            "regard_outputs",
            "Translations, summaries and captions, by the risk of the best hypothesis: low, high or unknown.",
            ("model", "risk"),
            registry=registry,
        )

        # A model's series start together: a share of the outputs at risk is 0, not absent, before the first of them.
        @cache
        def of_model(model: str) -> dict[str, Counter]:
            return {risk: outputs.labels(model, risk) for risk in RISKS}

        self._of_model = of_model

    def count(self, results: Iterable[Result]) -> None:
        """Counts the results of a translation."""
        for result in results:
            self._of_model(result.model)[result.risk or "unknown"].inc()


class EngineMetrics(EngineObserver):
    """Counts and times the engine's work, by model. Called from the workers' threads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Each metric is a cached function from a model to its series: the lookup takes longer than the count.

        def gauge(name: str, text: str) -> Callable[[str], Gauge]:
            return cache(Gauge(f"regard_{name}", text, ("model",), registry=registry).labels)

        def counter(name: str, text: str) -> Callable[[str], Counter]:
            return cache(Counter(f"regard_{name}", text, ("model",), registry=registry).labels)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Callable[[str], Histogram]:
            return cache(Histogram(f"regard_{name}", text, ("model",), buckets=buckets, registry=registry).labels)

        self._queue_depth = gauge("queue_depth", "Requests that wait for a slot.")
        self._queue_wait = histogram("queue_wait_seconds", "How long requests waited.", CALL_BUCKETS_S)
        self._live_slots = gauge("live_slots", "Slots in use, over all running batches.")
        self._encode = histogram("encode_seconds", "One run of the encode graph.", STEP_BUCKETS_S)
        self._encode_requests = histogram("encode_requests", "Requests encoded in one run.", SIZE_BUCKETS)
        self._step = histogram("step_seconds", "One step: graph and search.", STEP_BUCKETS_S)
        self._step_slots = histogram("step_slots", "Live slots in one step.", SIZE_BUCKETS)
        self._first_token = histogram("first_token_seconds", "From submission to the first token.", CALL_BUCKETS_S)
        self._source_tokens = counter("source_tokens", "Source tokens of the requests admitted.")
        self._generated_tokens = counter("generated_tokens", "Tokens generated, by requests that ended.")
        finished = Counter(
            "regard_requests", "Requests that ended, by outcome.", ("model", "outcome"), registry=registry
        )
        self._finished = cache(finished.labels)
        interrupted = Counter(
            "regard_interrupted_requests",
            "Requests that were cancelled, or whose deadline passed, by the phase that they had reached.",
            ("model", "outcome", "phase"),
            registry=registry,
        )
        self._interrupted = cache(interrupted.labels)

    def queued(self, model: str, num_waiting: int) -> None:
        self._queue_depth(model).set(num_waiting)

    def admitted(self, model: str, queue_s: float, num_source_tokens: int) -> None:
        self._queue_wait(model).observe(queue_s)
        self._source_tokens(model).inc(num_source_tokens)

    def encoded(self, model: str, num_requests: int, seconds: float) -> None:
        self._encode(model).observe(seconds)
        self._encode_requests(model).observe(num_requests)

    def stepped(self, model: str, num_slots: int, seconds: float) -> None:
        self._step(model).observe(seconds)
        self._step_slots(model).observe(num_slots)

    def first_token(self, model: str, seconds: float) -> None:
        self._first_token(model).observe(seconds)

    def live(self, model: str, num_slots: int) -> None:
        self._live_slots(model).set(num_slots)

    def finished(self, model: str, outcome: Outcome, num_tokens: int, phase: Phase) -> None:
        self._finished(model, outcome).inc()
        self._generated_tokens(model).inc(num_tokens)
        if outcome in INTERRUPTIONS:
            self._interrupted(model, outcome, phase).inc()


class ModelCollector(Collector):
    """Collects the models at every scrape. An unloaded model is missing from the next one."""

    def __init__(self, models: Callable[[], Iterable[ModelInfo]]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics of all models."""
        info = GaugeMetricFamily(
            "regard_model_info",
            "1 for each model in memory; its labels tell which.",
            labels=("model", "version", "task", "provider", "precision"),
        )
        ready = GaugeMetricFamily("regard_model_ready", "1 if the model serves, 0 if not.", labels=("model",))
        state = GaugeMetricFamily(
            "regard_model_state", "1 for the state that a version is in.", labels=("model", "version", "state")
        )
        load = GaugeMetricFamily(
            "regard_model_load_seconds", "How long reading and warming up took.", labels=("model", "version")
        )
        # A version that was loaded again appears twice while the first one drains; it has one series.
        models = {(model.name, model.version, model.state): model for model in self._models()}
        for labels in models:
            state.add_metric(labels, 1)
        serving = {model.name for model in models.values() if model.state == "ready"}
        for name in {model.name: None for model in models.values() if model.state != "unloaded"}:
            ready.add_metric((name,), name in serving)
        for (name, version), model in {labels[:2]: model for labels, model in models.items()}.items():
            if model.load_s is not None:
                load.add_metric((name, version), model.load_s)
            if model.manifest is not None and model.provider is not None:
                provider, precision = PROVIDER_NAMES[model.provider], model.precision or ""
                info.add_metric((name, version, model.manifest.task, provider, precision), 1)
        yield from (info, ready, state, load)


class EngineCollector(Collector):
    """Collects the memory of the engine's batches at every scrape, at no cost to their steps."""

    def __init__(self, usage: Callable[[], dict[str, Usage]]) -> None:
        self._usage = usage

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics of all batches."""
        slots = GaugeMetricFamily(
            "regard_batch_slots", "Slots of the batches that have requests, used or free.", labels=("model",)
        )
        size = GaugeMetricFamily("regard_batch_bytes", "Sizes of all batches' buffers.", labels=("model", "buffer"))
        for model, usage in self._usage().items():
            slots.add_metric((model,), usage.num_slots)
            for buffer, num_bytes in usage.num_bytes.items():
                size.add_metric((model, buffer), num_bytes)
        yield from (slots, size)


class Metrics:
    """All metrics of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.grpc = GrpcMetrics(self.registry)
        self.refusals = RefusalMetrics(self.registry)
        self.attention = AttentionMetrics(self.registry)
        self.outputs = OutputMetrics(self.registry)
        self.doors = DoorMetrics(self.registry)
        self.engine = EngineMetrics(self.registry)
        self.queue_limit = Gauge(
            "regard_queue_limit", "Requests that may wait, over all models; more are refused.", registry=self.registry
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def watch_models(self, models: Callable[[], Iterable[ModelInfo]]) -> None:
        """Collects these models from now on."""
        self.registry.register(ModelCollector(models))

    def watch_engine(self, usage: Callable[[], dict[str, Usage]]) -> None:
        """Collects the usage of the engine's batches from now on. Args: usage: by model."""
        self.registry.register(EngineCollector(usage))
