"""A server's metrics, as Prometheus would scrape them."""

import urllib.request

from tests.waiting import PATIENCE_S


def metric(http_port: int, series: str) -> float:
    """The sum over all series whose line begins so: a metric's name, or its name with its first labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/metrics", timeout=PATIENCE_S) as answer:
        lines = answer.read().decode().splitlines()
    name = series.partition("{")[0]
    assert any(line.startswith(f"# TYPE {name} ") for line in lines), f"there is no metric {name}"
    beginnings = (f"{name} ", f"{name}{{") if name == series else (series,)
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(beginnings))
