"""A real Prometheus that scrapes targets on loopback, with the rules of deploy/prometheus."""

import json
import math
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.tools import DEPLOY, free_port, program
from tests.waiting import PATIENCE_S, wait_until

CONFIG = DEPLOY / "prometheus" / "prometheus.yml"
INTERVAL = "500ms"


class Prometheus:
    """Queries a Prometheus over its HTTP API."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def get(self, path: str, **parameters: str) -> Any:
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> dict[tuple[tuple[str, str], ...], float]:
        """The samples of an instant query that are numbers, by their labels."""
        samples = self.get("query", query=expression)["result"]
        values = {tuple(sorted(sample["metric"].items())): float(sample["value"][1]) for sample in samples}
        return {labels: value for labels, value in values.items() if not math.isnan(value)}

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]


@contextmanager
def running_prometheus(folder: Path, targets: Sequence[str]) -> Iterator[Prometheus]:
    """Starts Prometheus with the shipped configuration except targets and intervals; stops it at the end."""
    config = yaml.safe_load(CONFIG.read_text())
    config["global"] = {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL}
    config["rule_files"] = [str(CONFIG.parent / name) for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"] = [{"targets": list(targets)}]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        program("prometheus", "Debian's package prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
    with subprocess.Popen(command) as process:
        try:
            prometheus = Prometheus(port)
            wait_until(prometheus.is_ready)
            yield prometheus
        finally:
            process.terminate()
