"""What processes make of a machine: `python -m benchmarks.capacity.processes`, a simulation from measured costs.

A process is two queues: its interpreter, one thread at a time, and its workers, which run graphs without it. Callers
each keep a connection, which the kernel gives to a process by chance, and wait for their answers. Work is shared evenly
by those who wait for it; cores beyond those that can be kept busy idle.
"""

import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import click

from benchmarks.harness.spread import percentile
from benchmarks.harness.tables import Table, show

SEEDS = range(3)
CALLS_PER_CALLER = 30
WARM_UP = 5  # calls of each caller that are not counted


@dataclass(frozen=True)
class Costs:
    """Processor time of a call, in ms.

    Attributes:
        python: in the interpreter of its process.
        graph: in graphs, in full batches.
        graph_alone: the same without other calls in the batch.
        full: calls in a full batch.
    """

    python: float
    graph: float
    graph_alone: float
    full: int = 16

    def graph_beside(self, num_calls: float) -> float:
        """Processor time in graphs of a call in a batch of this many: its own part, and its share of the weights."""
        shared = (self.graph_alone - self.graph) / (1 - 1 / self.full)
        return self.graph_alone - shared + shared / min(max(num_calls, 1.0), self.full)


@dataclass
class _Queue:
    """Calls that share something evenly.

    Attributes:
        num_servers: calls that it works on at full speed.
        worked: what each call has got that was there from the beginning, in ms.
        ends: for each call what `worked` will be at its end.
    """

    num_servers: int
    worked: float = 0.0
    ends: list[tuple[float, int]] = field(default_factory=list)

    @property
    def num_busy(self) -> int:
        return min(self.num_servers, len(self.ends))

    @property
    def rate(self) -> float:
        """Work a ms that each call gets."""
        return self.num_busy / len(self.ends)

    def add(self, call: int, work: float) -> None:
        heapq.heappush(self.ends, (self.worked + work, call))

    def advance(self, ms: float) -> Iterator[int]:
        """Works; yields the calls that have ended."""
        if self.ends:
            self.worked += ms * self.rate
            while self.ends and self.ends[0][0] <= self.worked + 1e-9:
                yield heapq.heappop(self.ends)[1]


def simulate(costs: Costs, num_cores: int, num_processes: int, num_callers: int, seed: int) -> tuple[float, float]:
    """Runs callers in a closed loop. Returns calls a second, and the 95th percentile of their latency in ms."""
    drawn = random.Random(seed)
    num_workers = max(1, num_cores // num_processes)
    processes = [(_Queue(1), _Queue(num_workers)) for _ in range(num_processes)]
    place = [drawn.randrange(num_processes) for _ in range(num_callers)]
    now, num_made, began = 0.0, 0, [0.0] * num_callers
    found: list[tuple[float, float]] = []
    for caller, number in enumerate(place):
        processes[number][0].add(caller, costs.python * drawn.uniform(0.5, 1.5))
    while num_made < CALLS_PER_CALLER * num_callers:
        step, slowdown = _next_event(processes, num_cores)
        now += step
        for interpreter, workers in processes:
            for caller in list(workers.advance(step / slowdown)):
                num_made += 1
                found.append((now, now - began[caller]))
                began[caller] = now
                interpreter.add(caller, costs.python * drawn.uniform(0.5, 1.5))
            for caller in list(interpreter.advance(step / slowdown)):
                beside = (len(workers.ends) + 1) / num_workers
                workers.add(caller, costs.graph_beside(beside) * drawn.uniform(0.5, 1.5))
    counted = found[WARM_UP * num_callers :]
    per_s = 1000 * len(counted) / (counted[-1][0] - counted[0][0])
    return per_s, percentile([ms for _, ms in counted], 0.95)


def _next_event(processes: Sequence[tuple[_Queue, _Queue]], num_cores: int) -> tuple[float, float]:
    """The time to the next end of a piece of work, and by how much all are slowed because cores are short."""
    queues = [queue for pair in processes for queue in pair if queue.ends]
    slowdown = max(1.0, sum(queue.num_busy for queue in queues) / num_cores)
    return min((queue.ends[0][0] - queue.worked) * slowdown / queue.rate for queue in queues), slowdown


@click.command(context_settings={"show_default": True})
@click.option("--python-ms", default=2.0, help="Processor time of a call in Python.")
@click.option("--graph-ms", default=3.1, help="Processor time of a call in graphs, in full batches.")
@click.option("--graph-alone-ms", default=5.0, help="The same, alone.")
@click.option("--callers-per-core", default=16, help="Callers that wait for each answer.")
def main(python_ms: float, graph_ms: float, graph_alone_ms: float, callers_per_core: int) -> None:
    """Prints what 1 to 16 processes make of 2 to 64 cores."""
    costs = Costs(python_ms, graph_ms, graph_alone_ms)
    rows = list(_rows(costs, callers_per_core))
    show([Table("Simulated", ["cores", "processes", "callers", "calls/s", "p95 ms", "times one process"], rows)], [])


def _rows(costs: Costs, callers_per_core: int) -> Iterator[list[str]]:
    for num_cores in (2, 4, 16, 64):
        one = 0.0
        for num_processes in (1, 2, 4, 8, 16):
            if num_processes > num_cores:
                continue
            num_callers = callers_per_core * num_cores
            runs = [simulate(costs, num_cores, num_processes, num_callers, seed) for seed in SEEDS]
            per_s, p95 = (sum(values) / len(runs) for values in zip(*runs, strict=True))
            one = one or per_s
            yield [
                f"{num_cores}",
                f"{num_processes}",
                f"{num_callers}",
                f"{per_s:,.0f}",
                f"{p95:,.0f}",
                f"{per_s / one:.2f}",
            ]


if __name__ == "__main__":
    main()
