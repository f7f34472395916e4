"""An engine with one worker in its own process: writes a line when it is loaded, runs when it reads one."""

import sys
import time

import regard
from benchmarks.bulk.run_worker import sentences


def main(model: str, language: str, num_rows: int) -> None:
    """Runs the rows by `client.map`, and prints the seconds that it took."""
    with regard.local(model, timeout=600.0, num_workers=1) as client:
        warm_up = list(client.map(sentences(256), language))
        assert all(outcome.result for outcome in warm_up)  # noqa: S101, a benchmark's own check
        print("ready", flush=True)
        sys.stdin.readline()
        begin = time.perf_counter()
        failed = sum(outcome.error is not None for outcome in client.map(sentences(num_rows), language))
        seconds = time.perf_counter() - begin
    if failed:
        sys.exit(f"{failed} rows failed")
    print(seconds)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
