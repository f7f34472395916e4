"""A process of one hostile caller: the honest one does not wait for its interpreter."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from benchmarks.hostile.attacks import ATTACKS, Target

READY = "ready"
# Attackers have machines of their own. Here they share the server's cores, and their clients need not slow it down.
LOWEST_PRIORITY = 19


def main() -> None:
    """Repeats the attack of a name until the process is ended."""
    name, grpc_port, http_port = sys.argv[1:]
    os.nice(LOWEST_PRIORITY)
    target, attack = Target(int(grpc_port), int(http_port)), ATTACKS[name]()
    print(READY, flush=True)
    while True:
        with suppress(OSError):
            attack(target)


@contextmanager
def attacking(names: Sequence[str], target: Target) -> Iterator[None]:
    """Runs a process for each attack."""
    with ExitStack() as stack:
        for name in names:
            command = [sys.executable, "-m", __spec__.name, name, str(target.grpc_port), str(target.http_port)]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            if process.stdout is not None:
                process.stdout.readline()
        yield


if __name__ == "__main__":
    main()
