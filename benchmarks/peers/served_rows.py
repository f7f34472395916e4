"""Rows that compare servers under the same clients in interleaved rounds."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import sentencepiece

from benchmarks.harness.process import proportional_mb, resumed, suspended
from benchmarks.harness.servers import serve
from benchmarks.harness.spread import Spread
from benchmarks.peers.engines import CTRANSLATE2, LITSERVE, REGARD, TRANSFORMERS
from benchmarks.peers.environments import python_of
from benchmarks.peers.inside.words import made_up_words
from benchmarks.peers.lengths import length_pairs
from benchmarks.peers.models import Model, ModelFiles
from benchmarks.peers.results import EngineResult, Figure
from benchmarks.peers.rows import AGAINST_TRANSFORMERS, Context, Findings
from benchmarks.peers.served_load import Load, LoadResult, run
from benchmarks.peers.worker import worker_process
from regard import Client
from regard_service.app.cores import cpu_limit

NUM_REQUESTS = 400
NUM_CLIENTS = 32
DELAY_MS = 5.0
START_TIMEOUT_S = 300.0  # for a large model on a busy machine
SEED = 0
SLOW_FACTOR = 3  # length of a slow server's load over that of others

Targets = tuple[float | None, float | None]
"""Needed and goal."""

NO_TARGETS: Targets = (None, None)


@dataclass(frozen=True)
class RunningServer:
    """A running server.

    Attributes:
        setting: description for the report.
        load: fields of its `Load` except times.
        slow: whether its batches take long, so that it runs longer loads in fewer rounds.
    """

    name: str
    setting: str
    versions: dict[str, str]
    load: Mapping[str, Any]
    slow: bool = False


@dataclass(frozen=True)
class ServedRow:
    """Compares Regard's server with each peer's; `throughput` and `p95` are targets against CTranslate2."""

    model: Model
    throughput: tuple[float, float]
    p95: tuple[float, float]

    def __call__(self, context: Context) -> Findings:
        requests = mixed_requests(ModelFiles(context.models, self.model))
        with ExitStack() as stack:
            servers = [stack.enter_context(regard(context, self.model, requests))]
            notes = []
            if CTRANSLATE2 in context.peers:
                max_batch, note = self._best_batch(context, requests)
                notes += [note] if note else []
                servers.append(stack.enter_context(ctranslate2(context, self.model, requests, max_batch)))
            if LITSERVE in context.peers:
                servers.append(stack.enter_context(litserve(context, self.model, requests)))
            if TRANSFORMERS in context.peers:
                servers.append(stack.enter_context(transformers(context, self.model, requests)))
            results = compare(servers, context)
        figures = [figure for other in servers[1:] for figure in self._figures(other.name, results)]
        return Findings(
            tuple(figures), tuple(engine_result(each, results[each.name]) for each in servers), tuple(notes)
        )

    def _best_batch(self, context: Context, requests: Sequence[tuple[str, int]]) -> tuple[int, str]:
        """Searches the maximum batch size with which CTranslate2 has the highest throughput; also returns a note."""
        found = {}
        if not context.plan.search:
            return NUM_CLIENTS // 2, ""
        for max_batch in (8, 16, 32):
            context.stage(f"searching {CTRANSLATE2} behind gRPC: batches of up to {max_batch}")
            with ctranslate2(context, self.model, requests, max_batch) as server:
                found[max_batch] = run(_load(server, context)).tokens_per_s
        tried = "; ".join(f"batches of up to {size}: {speed:,.0f}" for size, speed in found.items())
        return max(found, key=lambda size: found[size]), f"{CTRANSLATE2}, tokens/s of the settings tried: {tried}"

    def _figures(self, other: str, results: Mapping[str, Sequence[LoadResult]]) -> Iterator[Figure]:
        throughput: Mapping[str, Targets] = {CTRANSLATE2: self.throughput, TRANSFORMERS: AGAINST_TRANSFORMERS}
        p95 = self.p95 if other == CTRANSLATE2 else NO_TARGETS
        return throughput_and_p95(other, results, throughput.get(other, NO_TARGETS), p95)


@dataclass(frozen=True)
class MapsRow:
    """The throughput of Regard's server with maps over its throughput without, in the same rounds."""

    model: Model
    kind: str
    needed: float
    goal: float

    def __call__(self, context: Context) -> Findings:
        requests = mixed_requests(ModelFiles(context.models, self.model))
        with regard(context, self.model, requests) as server:
            load = {**server.load, "attention": (self.kind,)}
            without = RunningServer("without maps", server.setting, server.versions, server.load)
            with_maps = RunningServer("with maps", server.setting, server.versions, load)
            results = compare([without, with_maps], context)
        rounds = zip(results[with_maps.name], results[without.name], strict=True)
        kept = Spread.of([on.tokens_per_s / off.tokens_per_s for on, off in rounds], 3)
        figure = Figure(what="share of throughput kept", value=kept, needed=self.needed, goal=self.goal)
        return Findings((figure,), tuple(engine_result(each, results[each.name]) for each in (without, with_maps)))


def throughput_and_p95(
    other: str, results: Mapping[str, Sequence[LoadResult]], throughput: Targets, p95: Targets
) -> Iterator[Figure]:
    """Yields Regard's tokens/s and p95 latency over those of another server, in the rounds that both ran."""
    rounds = list(zip(results[REGARD], results[other], strict=False))
    faster = Spread.of([ours.tokens_per_s / theirs.tokens_per_s for ours, theirs in rounds], 3)
    yield Figure(what=f"times {other}'s tokens/s", value=faster, needed=throughput[0], goal=throughput[1])
    later = Spread.of([ours.p95_ms / theirs.p95_ms for ours, theirs in rounds], 3)
    what = f"times {other}'s p95 latency"
    yield Figure(what=what, value=later, needed=p95[0], goal=p95[1], at_most=True)


@dataclass(frozen=True)
class ProcessesRow:
    """Two processes over one, with as many workers in all: calls per second, and the memory that the second adds.

    Attributes:
        requests: makes the load, whose outputs the model itself ends.
        throughput: needed and goal, of one process' calls per second.
        memory: needed and goal, in % of one process' proportional memory (PSS).
    """

    model: Model
    language: str
    requests: Callable[[Context], Sequence[tuple[str, int]]]
    throughput: Targets
    memory: Targets

    def __call__(self, context: Context) -> Findings:
        requests, names = self.requests(context), ("1 process", "2 processes")
        with ExitStack() as stack:
            servers = []
            for number, name in enumerate(names, 1):
                flag = f"--processes={number}"
                opened = stack.enter_context(regard(context, self.model, requests, flag, language=self.language))
                servers.append(replace(opened, name=name))
            results = compare(servers, context)
            memory = [proportional_mb(server.load["server_pid"]) for server in servers]
        rounds = zip(*(results[name] for name in names), strict=True)
        faster = Spread.of([both.num_requests / one.num_requests for one, both in rounds], 3)
        figures = [
            Figure(what="times one process' calls/s", value=faster, needed=self.throughput[0], goal=self.throughput[1])
        ]
        if memory[0] and memory[1]:
            added = Spread.of([100 * (memory[1] - memory[0]) / memory[0]], 1)
            what, (needed, goal) = "memory (PSS) added, % of one process'", self.memory
            figures.append(Figure(what=what, value=added, needed=needed, goal=goal, at_most=True))
        return Findings(tuple(figures), tuple(engine_result(each, results[each.name]) for each in servers))


def mixed_requests(files: ModelFiles) -> list[tuple[str, int]]:
    """Pairs of a text of made-up words and the length of its output, with real lengths in the checkpoint's pieces."""
    pieces = sentencepiece.SentencePieceProcessor(str(files.checkpoint / "source.spm"))
    words = made_up_words()
    sizes = dict(zip(words, map(len, pieces.encode(list(words))), strict=True))
    drawn = random.Random(SEED)
    lengths = drawn.choices(length_pairs("translation"), k=NUM_REQUESTS)
    return [(text_of(sizes, source - 1, drawn), target) for source, target in lengths]


def text_of(sizes: Mapping[str, int], length: int, drawn: random.Random) -> str:
    """Random words with at least `length` pieces in total, and few more."""
    words, known, size = [], list(sizes), 0
    while size < length:
        words.append(drawn.choice(known))
        size += sizes[words[-1]]
    return " ".join(words)


def compare(servers: Sequence[RunningServer], context: Context) -> dict[str, list[LoadResult]]:
    """Loads every server once per round, every second round in reverse order, after a warm-up round.

    Suspends servers that are not loaded, since some poll while they are idle.
    """
    results: dict[str, list[LoadResult]] = {server.name: [] for server in servers}
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(suspended(server.load["server_pid"]))
        for number in range(-1, context.plan.rounds):
            for server in servers if number % 2 == 0 else reversed(servers):
                if server.slow and not 0 <= number < context.plan.slow_rounds:
                    continue
                context.stage(f"round {number + 1} of {context.plan.rounds}: {server.name}, {NUM_CLIENTS} clients")
                with resumed(server.load["server_pid"]):
                    result = run(_load(server, context))
                if number >= 0:
                    results[server.name].append(result)
    return results


def _load(server: RunningServer, context: Context) -> Load:
    factor = SLOW_FACTOR if server.slow else 1
    return Load(**server.load, warmup_s=context.plan.warmup_s, duration_s=context.plan.duration_s * factor)


def engine_result(server: RunningServer, results: Sequence[LoadResult]) -> EngineResult:
    """Summarizes the rounds of a server."""
    values = {
        "tokens/s": Spread.of([each.tokens_per_s for each in results], 1),
        "ms at p50": Spread.of([each.p50_ms for each in results], 1),
        "ms at p95": Spread.of([each.p95_ms for each in results], 1),
        "cores busy": Spread.of([each.server_cores for each in results], 2),
        "cores of the clients": Spread.of([each.client_cores for each in results], 2),
    }
    return EngineResult(engine=server.name, setting=server.setting, versions=server.versions, values=values)


@contextmanager
def regard(
    context: Context, model: Model, requests: Sequence[tuple[str, int]], *flags: str, language: str = ""
) -> Iterator[RunningServer]:
    """Regard: `regard serve` with default settings. Args: flags: change them."""
    files = ModelFiles(context.models, model)
    with serve(files.bundles, models=(files.bundle.name,), flags=("--log-level=warning", *flags)) as server:
        server.wait_until_healthy(START_TIMEOUT_S)
        with Client(server.target) as client:
            precision = client.model(files.bundle.name).precision
        load = {
            "api": "regard", "target": server.target, "model": files.bundle.name, "requests": requests,
            "server_pid": server.process.pid, "language": language,
        }  # fmt: skip
        setting = " ".join(flags) or "default settings"
        yield RunningServer(REGARD, f"regard serve, {precision}, {setting}", {}, load)


@contextmanager
def ctranslate2(
    context: Context,
    model: Model,
    requests: Sequence[tuple[str, int]],
    max_batch: int,
    tokenizer: Mapping[str, Any] | None = None,
) -> Iterator[RunningServer]:
    """CTranslate2 with one worker per core. Args: tokenizer: of its translator, if not SentencePiece."""
    files = ModelFiles(context.models, model)
    arguments = {
        "folder": str(files.converted("int8")), "checkpoint": str(files.checkpoint), "compute_type": "int8",
        "num_workers": cpu_limit(), "num_threads": 1, "tokenizer": tokenizer,
    }  # fmt: skip
    with peer(CTRANSLATE2, context, arguments, requests, max_batch) as server:
        yield server


@contextmanager
def transformers(context: Context, model: Model, requests: Sequence[tuple[str, int]]) -> Iterator[RunningServer]:
    """transformers, one batch at a time on all cores."""
    folder = str(ModelFiles(context.models, model).checkpoint)
    arguments = {"folder": folder, "num_workers": 1, "num_threads": cpu_limit()}
    with peer(TRANSFORMERS, context, arguments, requests, NUM_CLIENTS) as server:
        yield server


@contextmanager
def litserve(context: Context, model: Model, requests: Sequence[tuple[str, int]]) -> Iterator[RunningServer]:
    """CTranslate2 in LitServe over HTTP, with one inference process per core and LitServe's dynamic batches."""
    files = ModelFiles(context.models, model)
    arguments = {
        "folder": str(files.converted("int8")), "checkpoint": str(files.checkpoint), "num_workers": cpu_limit(),
    }  # fmt: skip
    with peer(LITSERVE, context, arguments, requests, NUM_CLIENTS // cpu_limit(), "http") as server:
        yield server


@contextmanager
def peer(
    name: str,
    context: Context,
    arguments: Mapping[str, Any],
    requests: Sequence[tuple[str, int]],
    max_batch: int,
    api: str = "thin",
    environment: str = "",
) -> Iterator[RunningServer]:
    """A peer's server.

    Args:
        environment: the name of its environment, if that is not its own.
    """
    python = python_of(context.environments, environment or name.lower())
    with worker_process(python, f"{name.lower()}_server") as worker:
        answer = worker.call("open", max_batch=max_batch, delay_ms=DELAY_MS, **arguments)
        load = {
            "api": api, "target": f"127.0.0.1:{answer['port']}", "model": "", "requests": requests,
            "server_pid": worker.pid,
        }  # fmt: skip
        how = "thin gRPC servicer" if api == "thin" else "HTTP"
        yield RunningServer(name, f"{how}, {answer['setting']}", answer["versions"], load, slow=name == TRANSFORMERS)
