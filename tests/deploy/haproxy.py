"""A real haproxy on loopback, with the shipped configuration, in front of a test's servers."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.tools import DEPLOY, accepts, free_port, program
from tests.system.served import Served
from tests.waiting import PATIENCE_S, wait_until

CONFIG = DEPLOY / "proxy" / "haproxy.cfg"


@contextmanager
def running_haproxy(folder: Path, replicas: Sequence[Served]) -> Iterator[str]:
    """Starts haproxy in front of these replicas; yields its address once it accepts connections."""
    port = free_port()
    config = re.sub(r"bind :\d+", f"bind 127.0.0.1:{port}", CONFIG.read_text())
    # A busy machine's replicas may answer a check late; their ends are what the tests are about.
    config = config.replace("defaults\n", f"defaults\n    timeout check {PATIENCE_S:.0f}s\n", 1)
    assert config.count("    server ") == len(replicas)
    for number, replica in enumerate(replicas, 1):
        config = config.replace(f"replica-{number}:50051", replica.target)
        config = config.replace(" port 8080 ", f" port {replica.http_port} ", 1)
    file = folder / "haproxy.cfg"
    file.write_text(config)
    command = [program("haproxy", "Debian's package haproxy"), "-db", "-f", str(file)]
    assert subprocess.run([*command, "-c"], capture_output=True, check=False).returncode == 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: accepts(port))
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
