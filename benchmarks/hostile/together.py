"""All hostile callers at once beside honest ones, for minutes, with a server whose memory is limited."""

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import regard
from benchmarks.harness.servers import Server, serve
from benchmarks.hostile.attacker import attacking
from benchmarks.hostile.attacks import ATTACKS, SENTENCE, Target
from benchmarks.hostile.memory_limit import memory_group
from benchmarks.hostile.process_use import MIB, peak_bytes
from benchmarks.hostile.together_report import HonestRow

PATIENCE_S = 120.0
PHOTO = Path(__file__).parents[2] / "docs/examples/photos"
Call = Callable[[], str]


@dataclass
class Honest:
    """A caller with one call at a time, from an address of his own, who compares each answer with his first.

    Attributes:
        times: of calls that were answered, in seconds.
        lost: the errors of calls that were not.
        num_wrong: answers that differ from the first.
    """

    name: str
    call: Call
    times: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    num_wrong: int = 0

    def run(self, expected: str, stopped: threading.Event) -> None:
        """Calls again and again."""
        while not stopped.is_set():
            began = time.perf_counter()
            try:
                self.num_wrong += self.call() != expected
                self.times.append(time.perf_counter() - began)
            except (regard.RegardError, OSError) as error:
                self.lost.append(f"{type(error).__name__}: {error}")
                time.sleep(0.1)

    def row(self) -> HonestRow:
        """The results."""
        ordered = sorted(self.times) or [PATIENCE_S]
        return HonestRow(
            caller=self.name,
            num_calls=len(self.times),
            p50_ms=round(1000 * ordered[len(ordered) // 2], 1),
            p95_ms=round(1000 * ordered[int(0.95 * (len(ordered) - 1))], 1),
            num_lost=len(self.lost),
            num_wrong=self.num_wrong,
            first_loss=self.lost[0][:200] if self.lost else "",
        )


@dataclass(frozen=True)
class Outcome:
    """What a run has found. Attributes: peak_mib: of the server; group_peak_mib: of the group, with files' pages."""

    rows: list[HonestRow]
    has_ended: bool
    peak_mib: float
    group_peak_mib: float


def run_together(seconds: float, memory_mib: int, http_port: int, flags: tuple[str, ...]) -> Outcome:
    """Runs everything. Raises NoMemoryLimit."""
    with memory_group(memory_mib * MIB) as group:
        with serve(flags=flags, prefix=group.prefix) as server, ExitStack() as clients:
            server.wait_until_healthy()
            callers = list(_honest(server, http_port, clients))
            expected = [caller.call() for caller in callers]
            with attacking(list(ATTACKS), Target(server.port, http_port)), _running(callers, expected):
                end = time.monotonic() + seconds
                while time.monotonic() < end and server.process.poll() is None:
                    time.sleep(0.2)
            has_ended = server.process.poll() is not None
            peak = 0 if has_ended else peak_bytes(server.process.pid)
        return Outcome([each.row() for each in callers], has_ended, peak / MIB, group.peak_bytes() / MIB)


@contextmanager
def _running(callers: list[Honest], expected: list[str]) -> Iterator[None]:
    stopped = threading.Event()
    threads = [
        threading.Thread(target=caller.run, args=(answer, stopped), daemon=True)
        for caller, answer in zip(callers, expected, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join(PATIENCE_S)


def _honest(server: Server, http_port: int, clients: ExitStack) -> Iterator[Honest]:
    """Yields callers of several kinds, each at another address, which the server believes a proxy on loopback."""

    def client(number: int) -> regard.Client:
        metadata = [("x-forwarded-for", f"192.0.2.{number}")]
        return clients.enter_context(regard.Client(server.target, metadata=metadata, timeout=PATIENCE_S))

    plain, beams, pictures = client(1), client(2), client(3)
    photo = sorted(PHOTO.glob("*.jpg"))[0].read_bytes()
    yield Honest("one sentence", lambda: plain.translate(SENTENCE, to="de").text)
    yield Honest("four beams", lambda: beams.translate(SENTENCE, to="fr", num_beams=4).text)
    yield Honest("a photograph", lambda: pictures.caption(photo).text)
    yield Honest("a sentence over HTTP", lambda: _post(http_port, {"texts": [SENTENCE], "target_language": "es"}))


def _post(http_port: int, body: dict[str, object]) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{http_port}/v1/translate",
        json.dumps(body).encode(),
        {"content-type": "application/json", "x-forwarded-for": "192.0.2.4"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        text: str = json.loads(answer.read())["results"][0]["hypotheses"][0]["text"]
        return text
