"""The server's speed and memory as JSON and as tables."""

from collections.abc import Iterator
from typing import Literal

from benchmarks.harness.measurement import QUICK_NOTE, Measurement
from benchmarks.harness.served_model import ServedModel
from benchmarks.harness.spread import Spread
from benchmarks.harness.tables import Table
from benchmarks.serving.cold_start import ColdStart
from benchmarks.serving.latency import Latency
from benchmarks.serving.sentences import NUM_WORDS
from benchmarks.serving.tasks import TaskLatency
from benchmarks.serving.throughput import Comparison, Level


class ServingReport(Measurement):
    """All measurements.

    Attributes:
        quick: whether the run was short and therefore rough.
        tasks: latencies of captions and summaries, if the bundles offer them.
        scaling: one load per number of clients.
        alignment: the load without and with the alignment.
        resident_after_load_mb: resident memory after all loads; None if the system does not report it.
    """

    benchmark: Literal["serving"] = "serving"
    quick: bool
    model: ServedModel
    language: str
    cold_start: ColdStart
    latency: Latency
    tasks: tuple[TaskLatency, ...] = ()
    scaling: Comparison
    alignment: Comparison
    resident_after_load_mb: float | None

    def tables(self) -> Iterator[Table]:
        """Start and memory, latencies, numbers of clients, and the alignment."""
        yield self._start_and_size()
        yield self._latencies()
        yield _levels("Concurrent clients, greedy", self.scaling)
        yield _levels("Alignment off and on", self.alignment)

    def notes(self) -> list[str]:
        """The model, the ratios, and what makes the results unreliable."""
        model = self.model
        first, last = self.scaling.levels[0].num_clients, self.scaling.levels[-1].num_clients
        notes = [
            f"Model {model.name} {model.version} ({model.precision}, {model.provider}), into `{self.language}`.",
            f"Throughput with {last} clients over throughput with {first}: {self.scaling.ratio.text()}.",
            f"Throughput with the alignment over throughput without: {self.alignment.ratio.text('.3f')}.",
        ]
        off, on = (level.server_cpu_ms for level in self.alignment.levels)
        if off and on:
            notes.append(f"The server's CPU time per request with the alignment over without: {on / off:.3f}.")
        if self.machine.is_busy:
            notes.append(self.machine.busy_note)
        if self.quick:
            notes.append(QUICK_NOTE)
        return notes

    def _start_and_size(self) -> Table:
        start = self.cold_start
        rows = [
            ["start to first healthy answer", _with_unit(start.healthy_s, "s")],
            ["the first of these starts", f"{start.first_healthy_s:.2f} s"],
            ["start to first translation", _with_unit(start.translation_s, "s")],
            ["resident memory after start", _with_unit(start.resident_mb, "MB", ".0f")],
            ["resident memory after load", _memory(self.resident_after_load_mb)],
        ]
        return Table(f"Start and size, {len(start.healthy_s.values)} starts", ["", "median (least to most)"], rows)

    def _latencies(self) -> Table:
        header = ["", "model", "requests", "p50 ms", "p95 ms", "least to most ms", "encode p50 ms", "decode p50 ms"]
        translation = TaskLatency(what=f"translation of {NUM_WORDS} words", model=self.model, latency=self.latency)
        rows = [_task_latency(each) for each in (translation, *self.tasks)]
        return Table("One request at a time, greedy", [*header, "tokens out"], rows)


def _task_latency(measured: TaskLatency) -> list[str]:
    latency = measured.latency
    return [
        measured.what,
        f"{measured.model.name} {measured.model.version} ({measured.model.precision})",
        f"{latency.num_requests:,}",
        f"{latency.p50_ms:.1f}",
        f"{latency.p95_ms:.1f}",
        f"{latency.minimum_ms:.1f} to {latency.maximum_ms:.1f}",
        f"{latency.encode_p50_ms:.1f}",
        f"{latency.decode_p50_ms:.1f}",
        f"{latency.tokens_per_request:.1f}",
    ]


def _levels(title: str, comparison: Comparison) -> Table:
    header = ["clients", "alignment", "requests/s", "tokens/s", "p50 ms", "p95 ms", "server CPU ms", "generator CPU ms"]
    rounds = len(comparison.ratio.values)
    rows = [_level(level) for level in comparison.levels]
    return Table(f"{title}, {rounds} round{'s' if rounds > 1 else ''}: median (least to most)", header, rows)


def _level(level: Level) -> list[str]:
    return [
        str(level.num_clients),
        "on" if level.alignment else "off",
        level.requests_per_s.text(".1f"),
        f"{level.tokens_per_s:,.0f}",
        f"{level.latency_p50_ms:.1f}",
        f"{level.latency_p95_ms:.1f}",
        "" if level.server_cpu_ms is None else f"{level.server_cpu_ms:.2f}",
        f"{level.generator_cpu_ms:.2f}",
    ]


def _with_unit(spread: Spread | None, unit: str, form: str = ".2f") -> str:
    return "not measured" if spread is None else f"{spread.text(form)} {unit}"


def _memory(megabytes: float | None) -> str:
    return "not measured" if megabytes is None else f"{megabytes:.0f} MB"
