"""`python -m benchmarks.export.stages CHECKPOINT OUT PRECISION`: exports, and prints as JSON what each stage took.

A process of its own, so that what it has in memory is the export's alone. Linux only: it reads and resets the peak of
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
    """Times and peaks, one a stage; peaks are of resident memory, mapped files included."""

    def __init__(self, title: str) -> None:
        self.ended: list[dict[str, str | float]] = []
        self._begin(title)

    def next(self, title: str) -> None:
        """Ends the stage that runs and begins another."""
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
        raise SystemExit("the system does not tell how much memory a process had")
    return int(found[1]) * KIBIBYTE


def main() -> None:
    checkpoint, out, precision = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    stages = Stages("importing libraries")
    from regard_export.cli.commands import PRECISIONS
    from regard_export.exporting.export import ExportOptions, export
    from regard_export.families.loading import load_source_model

    stages.next("reading the checkpoint")
    model = load_source_model(checkpoint)
    chosen = next(known for known in PRECISIONS if known == precision)
    # Random weights may lose more to 8 bits than is allowed; what verification costs is the same.
    options = ExportOptions("benchmark", "1", (chosen,), {}, allow_mismatch=True)
    export(model, out, options, stages.next)
    stages.next("")
    print(json.dumps(stages.ended))


if __name__ == "__main__":
    main()
