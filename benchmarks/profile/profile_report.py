"""The profile as JSON and as tables."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.tables import Table


class Part(BaseModel):
    """Base of the report's parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Peaks(Part):
    """The peaks of one core and of all cores together."""

    int8_gmacs_per_s: tuple[float, float]
    gb_read_per_s: tuple[float, float]


class Graph(Part):
    """Means per run of a graph in ONNX Runtime's profile, including the profiler's overhead; see `GraphProfile`."""

    us: float
    us_by_group: dict[str, float]
    us_by_operator: dict[str, float]
    num_nodes: float
    num_macs: float
    weight_bytes: float


class EngineProfile(Part):
    """The engine with one worker thread, greedy.

    Attributes:
        batch: number of sources at a time.
        cpu_us_by_stage: CPU time per step, including a share of encoding; "rest" is time outside all stages.
        step_us: CPU time per step within ONNX Runtime and its call.
    """

    model: str
    batch: int
    num_tokens: int
    num_steps: int
    cpu_us_by_stage: dict[str, float]
    step_us: float
    encode: Graph
    step: Graph

    def shares(self, peaks: Peaks) -> tuple[float, float]:
        """Shares (0 to 1) of one core's compute peak and of its memory bandwidth that steps reach."""
        macs, read = self.step.num_macs / self.step_us / 1e3, self.step.weight_bytes / self.step_us / 1e3
        return macs / peaks.int8_gmacs_per_s[0], read / peaks.gb_read_per_s[0]


class ServerProfile(Part):
    """The server with default settings, and its clients on the same cores.

    Attributes:
        wall_ms: wall time per request: the server's timings, and the client's latency ("all").
        cpu_ms_by_stage: CPU time per request.
    """

    model: str
    num_clients: int
    num_requests: int
    tokens_per_s: float
    wall_ms: dict[str, float]
    cpu_ms_by_stage: dict[str, float]


class ProfileReport(Measurement):
    """All profiles and the machine's peaks."""

    benchmark: Literal["profile"] = "profile"
    peaks: Peaks
    engine: tuple[EngineProfile, ...]
    server: tuple[ServerProfile, ...]

    def tables(self) -> Iterator[Table]:
        """The server, the engine, operators, and steps against the peaks."""
        yield self._server_table()
        yield self._engine_table()
        yield self._operator_table()
        yield self._roofline_table()

    def notes(self) -> Iterator[str]:
        """The peaks, and whether other work ran."""
        (one, all_), (read_one, read_all) = self.peaks.int8_gmacs_per_s, self.peaks.gb_read_per_s
        yield (
            f"The machine's peaks, one core and all cores: {one:.0f} and {all_:.0f} thousand million 8-bit "
            f"multiply-accumulates per second, {read_one:.1f} and {read_all:.1f} GB per second read from memory."
        )
        if self.machine.is_busy:
            yield self.machine.busy_note

    def _server_table(self) -> Table:
        stages = list(dict.fromkeys(stage for each in self.server for stage in each.cpu_ms_by_stage))
        header = ["", *(f"{each.model}, {_clients(each.num_clients)}" for each in self.server)]
        rows = [[f"waiting: {name}", *(f"{each.wall_ms[name]:.2f}" for each in self.server)]
                for name in self.server[0].wall_ms]  # fmt: skip
        rows += [[f"CPU: {stage}", *(f"{each.cpu_ms_by_stage.get(stage, 0):.3f}" for each in self.server)]
                 for stage in stages]  # fmt: skip
        rows.append(["CPU: all", *(f"{sum(each.cpu_ms_by_stage.values()):.2f}" for each in self.server)])
        rows.append(["tokens/s", *(f"{each.tokens_per_s:,.0f}" for each in self.server)])
        return Table("A request through the server, ms", header, rows)

    def _engine_table(self) -> Table:
        stages = list(dict.fromkeys(stage for each in self.engine for stage in each.cpu_us_by_stage))
        rows = [[stage, *(f"{each.cpu_us_by_stage.get(stage, 0):,.0f}" for each in self.engine)] for stage in stages]
        rows.append(["all", *(f"{sum(each.cpu_us_by_stage.values()):,.0f}" for each in self.engine)])
        return Table("CPU time per step with its share of encoding, microseconds", self._header(), rows)

    def _operator_table(self) -> Table:
        groups = list(dict.fromkeys(group for each in self.engine for group in each.step.us_by_group))
        rows = [
            [group, *(f"{100 * each.step.us_by_group.get(group, 0) / each.step.us:.1f}" for each in self.engine)]
            for group in groups
        ]
        rows.append(["operators per step", *(f"{each.step.num_nodes:.0f}" for each in self.engine)])
        return Table("A step by operators, % of ONNX Runtime's own profile", self._header(), rows)

    def _roofline_table(self) -> Table:
        shares = [each.shares(self.peaks) for each in self.engine]
        rows = [
            ["us per step", *(f"{each.step_us:,.0f}" for each in self.engine)],
            ["million multiplications with weights", *(f"{each.step.num_macs / 1e6:,.1f}" for each in self.engine)],
            ["MB of weights", *(f"{each.step.weight_bytes / 1e6:,.1f}" for each in self.engine)],
            ["% of the 8-bit peak", *(f"{100 * macs:.0f}" for macs, _ in shares)],
            ["% of the memory bandwidth", *(f"{100 * read:.0f}" for _, read in shares)],
        ]
        return Table("Steps against the peaks of one core", self._header(), rows)

    def _header(self) -> list[str]:
        return ["", *(f"{each.model}, {each.batch} at a time" for each in self.engine)]


def _clients(number: int) -> str:
    return "1 client" if number == 1 else f"{number} clients"
