"""`make demo`: starts a server, translates a few sentences over gRPC, shows what was attended to, stops.

It is also an example of how a program starts a server of its own, calls it and reads its metrics.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console

import regard
from regard.terminal import print_alignment

# None of these sentences is in the training data.
EVERYDAY = {
    "de": ("Could you tell me where the library is?", "My neighbour bought a new bicycle last week."),
    "fr": ("I would like a cup of tea without sugar, please.",),
    "es": ("The children are playing in the garden behind the house.",),
}
PHOTOGRAPHS = (
    "A man in an orange jacket is climbing a snowy mountain.",
    "Two dogs are running along the beach with a yellow ball.",
)
METRICS = (
    "regard_queue_wait_seconds",
    "regard_encode_seconds",
    "regard_first_token_seconds",
    "regard_step_seconds",
    "regard_source_tokens",
    "regard_generated_tokens",
    "grpc_server_handled",
)


@dataclass(frozen=True)
class Ports:
    grpc: int
    http: int


@contextmanager
def server() -> Iterator[Ports]:
    """A `regard serve` of our own on free loopback ports; stopped with SIGTERM, as an operator would."""
    command = [sys.executable, "-m", "regard", "serve", "--grpc-port=0", "--http-port=0", "--log-format=json"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield _ports(process)
    finally:
        process.terminate()
        _, log = process.communicate(timeout=30)
    if process.returncode != 0:
        sys.stderr.write(log)
        raise SystemExit(f"the server ended with status {process.returncode}")


def _ports(process: "subprocess.Popen[str]") -> Ports:
    """Reads the server's log up to the line that says where it serves."""
    lines = []
    for line in process.stderr or ():
        lines.append(line)
        entry = json.loads(line)
        if "grpc_port" in entry:
            return Ports(entry["grpc_port"], entry["http_port"])
    raise SystemExit("the server did not start:\n" + "".join(lines))


def show(console: Console, client: regard.Client, text: str, language: str, model: str) -> None:
    """Translates a sentence and prints the translation, its alignment by words, and where the time went."""
    result = client.translate(text, to=language, model=model, attention=["alignment"], words=True)
    console.print(f"\n[bold]{text}[/bold]\n{language}: [bold green]{result.text}[/bold green]", highlight=False)
    print_alignment(console, result, result.best)
    timings = result.timings
    console.print(
        f"{result.model} {result.model_version}, score {result.best.score:.2f}: "
        f"queue {timings.queue_ms:.1f} ms, encode {timings.encode_ms:.1f} ms, decode {timings.decode_ms:.1f} ms",
        style="dim",
        highlight=False,
    )


def show_metrics(console: Console, port: int) -> None:
    """Prints what Prometheus would have read about these calls."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    console.rule("metrics of these calls")
    for line in lines:
        name, _, value = line.rpartition(" ")
        counted = name.partition("{")[0].endswith(("_sum", "_count", "_total"))
        if line.startswith(METRICS) and counted and float(value):
            console.print(line, highlight=False)


def main() -> None:
    columns = None if os.isatty(1) else 110
    console = Console(width=columns)
    with server() as ports, regard.Client(f"127.0.0.1:{ports.grpc}") as client:
        console.rule("everyday sentences (model everyday)")
        for language, texts in EVERYDAY.items():
            for text in texts:
                show(console, client, text, language, "everyday")
        console.rule("descriptions of photographs (model multi30k)")
        for text in PHOTOGRAPHS:
            show(console, client, text, "de", "multi30k")
        show_metrics(console, ports.http)


if __name__ == "__main__":
    main()
