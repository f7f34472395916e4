"""`python -m benchmarks.hostile`: hostile callers, one kind after the other, beside an honest one; on loopback only."""

import http.client
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
import grpc

from benchmarks.harness.measurement import circumstances
from benchmarks.harness.servers import serve
from benchmarks.harness.tables import show
from benchmarks.hostile.attacker import attacking
from benchmarks.hostile.attacks import ATTACKS, SENTENCE, Target
from benchmarks.hostile.hostile_report import AttackRow, HostileReport
from benchmarks.hostile.process_use import MIB, peak_bytes
from benchmarks.hostile.together import run_together
from benchmarks.hostile.together_report import TogetherReport
from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as stubs

DRAIN_TIMEOUT_S = 5.0
PROBE_INTERVAL_S = 0.02
EXIT_PATIENCE_S = 120.0
# The honest caller has an address of its own, which the server believes a proxy on loopback.
HONEST = (("x-forwarded-for", "192.0.2.1"),)


@click.command(context_settings={"show_default": True})
@click.option("--seconds", default=10.0, help="Length of each attack.")
@click.option("--attack", "chosen", multiple=True, metavar="NAME", help="Only attacks whose names contain this.")
@click.option("--together", is_flag=True, help="All attacks at once, beside honest callers of several kinds.")
@click.option("--minutes", default=2.0, help="Length, with --together.")
@click.option("--memory-mib", default=1024, help="Limit of the server's memory, with --together: a control group's.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there.")
@click.pass_context
def main(
    context: click.Context,
    seconds: float,
    chosen: Sequence[str],
    together: bool,
    minutes: float,
    memory_mib: int,
    json_file: Path | None,
) -> None:
    """Attacks a server on loopback. The exit status is 1 if a bound is missed."""
    before = circumstances(context, "benchmarks.hostile")
    with socket.create_server(("127.0.0.1", 0)) as free:
        http_port = free.getsockname()[1]
    flags = (
        f"--http-port={http_port}", "--trusted-proxies=127.0.0.1", "--log-level=error",
        f"--drain-timeout-s={DRAIN_TIMEOUT_S:g}",
    )  # fmt: skip
    report: HostileReport | TogetherReport
    if together:
        outcome = run_together(60 * minutes, memory_mib, http_port, flags)
        report = TogetherReport(**before, minutes=minutes, memory_mib=memory_mib, **vars(outcome))
    else:
        report = _one_by_one(before, seconds, chosen, http_port, flags)
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)
    context.exit(0 if all(verdict.is_met for verdict in report.verdicts()) else 1)


def _one_by_one(
    before: dict[str, Any], seconds: float, chosen: Sequence[str], http_port: int, flags: tuple[str, ...]
) -> HostileReport:
    """Each attack beside an honest caller, then the end of the process under all of them."""
    with serve(flags=flags) as server:
        server.wait_until_healthy()
        target, pid = Target(server.port, http_port), server.process.pid
        names = [name for name in ATTACKS if not chosen or any(each in name for each in chosen)]
        alone = _measured("(alone)", (), target, pid, seconds)
        rows = [_measured(name, (name,), target, pid, seconds) for name in names]
        with attacking(names, target):
            time.sleep(seconds / 2)
            began = time.monotonic()
            server.process.terminate()
            server.process.wait(EXIT_PATIENCE_S)
            exit_s = time.monotonic() - began
    return HostileReport(**before, alone=alone, rows=rows, exit_s=exit_s, drain_timeout_s=DRAIN_TIMEOUT_S)


def _measured(title: str, names: Sequence[str], target: Target, pid: int, seconds: float) -> AttackRow:
    """Repeats an attack beside an honest caller and a probe."""
    times: list[float] = []
    lost: list[str] = []
    waits: list[float] = []
    with (
        attacking(names, target),
        _thread(lambda stopped: _honest(target, stopped, times, lost)),
        _thread(lambda stopped: _probe(target, stopped, waits)),
    ):
        time.sleep(seconds)
    ordered = sorted(times) or [seconds]
    return AttackRow(
        attack=title,
        honest_p50_ms=round(1000 * statistics.median(ordered), 2),
        honest_p95_ms=round(1000 * ordered[int(0.95 * (len(ordered) - 1))], 2),
        stall_ms=round(1000 * max(waits, default=seconds), 1),
        peak_mib=round(peak_bytes(pid) / MIB, 1),
        num_lost=len(lost),
    )


def _honest(target: Target, stopped: threading.Event, times: list[float], lost: list[str]) -> None:
    """One call at a time."""
    request = pb.TranslateRequest(texts=[SENTENCE], target_language="de")
    with grpc.insecure_channel(f"127.0.0.1:{target.grpc_port}", [("grpc.enable_http_proxy", 0)]) as channel:
        stub = stubs.AttentionServiceStub(channel)
        while not stopped.is_set():
            began = time.perf_counter()
            try:
                stub.Translate(request, timeout=60, metadata=HONEST)
                times.append(time.perf_counter() - began)
            except grpc.RpcError as error:
                lost.append(str(error))
                time.sleep(0.05)


def _probe(target: Target, stopped: threading.Event, waits: list[float]) -> None:
    """Asks again and again whether the process lives; the event loop answers."""
    connection = http.client.HTTPConnection("127.0.0.1", target.http_port, timeout=60)
    while not stopped.is_set():
        began = time.perf_counter()
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        waits.append(time.perf_counter() - began)
        time.sleep(PROBE_INTERVAL_S)
    connection.close()


@contextmanager
def _thread(run: Callable[[threading.Event], None]) -> Iterator[None]:
    stopped = threading.Event()
    thread = threading.Thread(target=run, args=(stopped,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(60)


if __name__ == "__main__":
    main()
