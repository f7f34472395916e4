"""The measured rows: the server under two loads, the engine at two batch sizes, a larger model behind the server."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.commits.pairs import Sample, Subject
from benchmarks.harness.checkouts import Checkout
from benchmarks.harness.process import cpu_seconds, process_family
from benchmarks.harness.servers import serve
from benchmarks.peers.jobs import drawn_length_job
from benchmarks.peers.models import MARIAN, ModelFiles
from benchmarks.peers.served_rows import mixed_requests
from benchmarks.peers.worker import Worker, worker_process
from benchmarks.serving.sentences import SENTENCES
from regard_service.app.cores import cpu_limit

START_TIMEOUT_S = 300.0
SHIPPED_MODEL, LANGUAGE = "everyday", "de"
PRECISION = "int8"

Requests = Sequence[tuple[str, int]]
"""Pairs of a text and the length of its output; at 0 the model itself ends the output."""

Work = Callable[[int], Mapping[str, Any]]
"""Arguments of a worker's `run` for an amount of work."""


@dataclass(frozen=True)
class Plan:
    """Settings of all rows.

    Attributes:
        seconds: length of a sample.
        files: location of the larger model's checkpoint and bundle.
    """

    seconds: float
    files: ModelFiles


Open = Callable[[Sequence[Checkout], Plan], AbstractContextManager[list[Subject]]]
"""Starts one subject per checkout, and ends them."""


@dataclass(frozen=True)
class Row:
    """One load.

    Attributes:
        name: its name for `--rows`.
        unit: unit of work in the singular: "call" or "token".
        needs_large_model: whether it runs the larger model.
    """

    name: str
    title: str
    unit: str
    open: Open
    needs_large_model: bool = True


@dataclass(frozen=True)
class WorkerSubject:
    """A worker that does the same work in every sample.

    Attributes:
        arguments: of the worker's `run`.
        counted: key of the amount of work in the worker's answer.
        pid: the measured process; the processor time of its descendants counts too.
    """

    worker: Worker
    arguments: Mapping[str, Any]
    counted: str
    pid: int

    def sample(self) -> Sample:
        """Runs the work once."""
        before = self._cpu_s()
        answer = self.worker.call("run", **self.arguments)
        return Sample(self._cpu_s() - before, answer["seconds"], answer[self.counted])

    def _cpu_s(self) -> float:
        return sum(cpu_seconds(each) or 0.0 for each in process_family(self.pid))


@contextmanager
def open_shipped(num_clients: int, checkouts: Sequence[Checkout], plan: Plan) -> Iterator[list[Subject]]:
    """Servers of the shipped model under the load of `benchmarks.serving`: sentences of twelve words, greedy."""
    requests = [(text, 0) for text in SENTENCES]
    bundles = checkouts[0].shipped_bundles  # for both: other weights are no change of the code
    with ExitStack() as stack:
        loads = [
            stack.enter_context(_loaded(each, bundles, SHIPPED_MODEL, LANGUAGE, requests, num_clients))
            for each in checkouts
        ]
        arguments = _filling(loads[0][0], plan.seconds, _calls, 2 * len(SENTENCES))
        yield [WorkerSubject(generator, arguments, "num_calls", pid) for generator, pid in loads]


@contextmanager
def open_served(num_clients: int, checkouts: Sequence[Checkout], plan: Plan) -> Iterator[list[Subject]]:
    """Servers of the larger model under the load of the peers' row `served`: mixed lengths of texts and outputs."""
    files, requests = plan.files, mixed_requests(plan.files)
    with ExitStack() as stack:
        loads = [
            stack.enter_context(_loaded(each, files.bundles, files.bundle.name, "", requests, num_clients))
            for each in checkouts
        ]
        arguments = _filling(loads[0][0], plan.seconds, _calls, 2 * num_clients)
        yield [WorkerSubject(generator, arguments, "num_tokens", pid) for generator, pid in loads]


@contextmanager
def open_engine(batch: int, checkouts: Sequence[Checkout], plan: Plan) -> Iterator[list[Subject]]:
    """Engines of the larger model without a server, with the jobs of the peers' rows `greedy-N`."""
    with ExitStack() as stack:
        workers = [stack.enter_context(_engine(each, plan.files.bundle, batch)) for each in checkouts]
        arguments = _filling(workers[0], plan.seconds, partial(_groups, batch), 2)
        yield [WorkerSubject(worker, arguments, "num_tokens", worker.pid) for worker in workers]


def _calls(amount: int) -> Mapping[str, Any]:
    return {"num_requests": amount}


def _groups(batch: int, amount: int) -> Mapping[str, Any]:
    return drawn_length_job(MARIAN, batch, amount).arguments


def _filling(worker: Worker, seconds: float, work: Work, least: int) -> Mapping[str, Any]:
    """Measures how much work takes a worker `seconds`, at least `least` units."""
    worker.call("run", **work(least))  # the first access to memory is slow
    trial_s = worker.call("run", **work(least))["seconds"]
    return work(max(least, round(least * seconds / trial_s)))


@contextmanager
def _loaded(
    checkout: Checkout, bundles: Path, model: str, language: str, requests: Requests, num_clients: int
) -> Iterator[tuple[Worker, int]]:
    """Starts a checkout's server and a load generator; yields the generator and the server's process id."""
    with (
        serve(bundles, models=(model,), flags=("--log-level=warning",), checkout=checkout) as server,
        worker_process(Path(sys.executable), "benchmarks.commits.load_generator") as generator,
    ):
        server.wait_until_healthy(START_TIMEOUT_S)
        generator.call(
            "open", target=server.target, model=model, language=language, requests=requests, num_clients=num_clients
        )
        yield generator, server.process.pid


@contextmanager
def _engine(checkout: Checkout, bundle: Path, num_slots: int) -> Iterator[Worker]:
    """Starts the checkout's own engine worker; its module name and calls (`inside/engine.py`) must never change."""
    with worker_process(Path(sys.executable), "regard_engine", checkout=checkout) as worker:
        worker.call("open", folder=str(bundle), precision=PRECISION, num_workers=cpu_limit(), num_slots=num_slots)
        yield worker


ROWS = (
    Row("serving-1", "everyday, 1 client", "call", partial(open_shipped, 1), needs_large_model=False),
    Row("serving-32", "everyday, 32 clients", "call", partial(open_shipped, 32), needs_large_model=False),
    Row("greedy-8", "Marian-base, engine, batches of 8", "token", partial(open_engine, 8)),
    Row("greedy-32", "Marian-base, engine, batches of 32", "token", partial(open_engine, 32)),
    Row("served", "Marian-base, 32 clients, mixed lengths", "token", partial(open_served, 32)),
)
