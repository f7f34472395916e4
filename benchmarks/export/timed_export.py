"""`python -m benchmarks.export.timed_export CHECKPOINT OUT PRECISION`: exports, prints each stage's cost as JSON.

Runs in its own process, whose memory is the export's alone. Linux only: reads and resets the memory peak of
/proc/self/status.
"""

import json
import re
import sys
import time
from pathlib import Path

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"
KIBIBYTE = 1024


class Stages:
    """Time and memory peak of each stage; peaks count resident memory, including mapped files."""

    def __init__(self, title: str) -> None:
        self.ended: list[dict[str, str | float]] = []
        self._begin(title)

    def next(self, title: str) -> None:
        """Ends the current stage and begins the next."""
        self.ended.append(
            {
                "title": self._title,
                "seconds": round(time.monotonic() - self._started, 2),
                "cpu_seconds": round(time.process_time() - self._cpu_started, 2),
                "peak_bytes": _peak_bytes(),
            }
        )
        self._begin(title)

    def _begin(self, title: str) -> None:
        CLEAR_REFS.write_text(RESET_PEAK)
        self._title, self._started, self._cpu_started = title, time.monotonic(), time.process_time()


def _peak_bytes() -> int:
    found = re.search(r"^VmHWM:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("the system does not report a process's memory peak")
    return int(found[1]) * KIBIBYTE


def main() -> None:
    """Exports with the arguments of the command line."""
    checkpoint, out, precision = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    stages = Stages("importing libraries")
    from regard_export.cli.commands import PRECISIONS
    from regard_export.exporting.export import export
    from regard_export.exporting.options import ExportOptions
    from regard_export.families.loading import load_source_model

    stages.next("reading the checkpoint")
    model = load_source_model(checkpoint)
    chosen = next(known for known in PRECISIONS if known == precision)
    # Random weights may fail the int8 bounds; verification costs the same.
    options = ExportOptions("benchmark", "1", (chosen,), {}, is_mismatch_allowed=True)
    export(model, out, options, stages.next)
    stages.next("")
    print(json.dumps(stages.ended))


if __name__ == "__main__":
    main()
