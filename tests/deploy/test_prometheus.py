"""The rules and the dashboard, against the real server's metrics in a real Prometheus."""

import json
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest
import yaml

import regard
from deploy.prometheus.operator import RESOURCE, RULES, resource
from tests.deploy.prometheus import Prometheus, running_prometheus
from tests.deploy.tools import DEPLOY, ROOT, free_port, program
from tests.integration.collector import running_collector
from tests.system.served import Served, served
from tests.unit.service.observability.test_metrics import OF_SEVERAL_PROCESSES, OWN, documented
from tests.waiting import PATIENCE_S, wait_until

TEXT = "The teacher of our youngest son said that he has lost the key to the house in the forest."
DASHBOARD = json.loads((DEPLOY / "grafana" / "regard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULE_GROUPS = yaml.safe_load(RULES.read_text())["groups"]
RECORDED = [rule["record"] for group in RULE_GROUPS for rule in group["rules"] if "record" in rule]
ALERTS = [rule["alert"] for group in RULE_GROUPS for rule in group["rules"] if "alert" in rule]


def test_alerts_fire_when_they_should() -> None:
    """promtool's unit tests of every alert."""
    promtool = program("promtool", "Debian's package prometheus")
    folder = DEPLOY / "prometheus"
    for command in (["check", "config", "prometheus.yml"], ["test", "rules", "rules_test.yaml"]):
        done = subprocess.run([promtool, *command], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_and_a_page() -> None:
    tested = yaml.safe_load((DEPLOY / "prometheus" / "rules_test.yaml").read_text())["tests"]
    fired = {case["alertname"] for test in tested for case in test.get("alert_rule_test", []) if case["exp_alerts"]}
    assert fired == set(ALERTS)
    operations = (ROOT / "docs" / "operations.md").read_text()
    assert [alert for alert in ALERTS if f"### {alert}\n" not in operations] == []


def test_the_operators_resource_holds_the_rules() -> None:
    text = RESOURCE.read_text()
    assert text == resource(RULES.read_text()), "run `make prometheus-rule`"
    assert yaml.safe_load(text)["spec"]["groups"] == RULE_GROUPS


def ask(server: Served, stopping: threading.Event) -> None:
    """Makes unary calls, streams, one that it leaves, and a wrong call, until `stopping` is set."""
    with regard.Client(server.target) as client:
        while not stopping.is_set():
            client.translate([TEXT] * 4, to="de", attention=["alignment"])
            list(client.stream_translate(TEXT, to="fr"))
            stream = client.stream_translate(TEXT, to="es")
            with closing(stream) as left:  # type: ignore[type-var]  # that it can be closed is documented, not typed
                next(left)
            with pytest.raises(regard.RegardError):
                client.translate(TEXT, to="xx")
            ask_door(server, "/libretranslate/translate", {"q": TEXT, "source": "en", "target": "de"})
            ask_door(server, "/deepl/v2/translate", {"text": [TEXT], "target_lang": "DE"})
            stopping.wait(0.05)


def ask_door(server: Served, path: str, fields: dict[str, object]) -> None:
    headers = {"content-type": "application/json", "authorization": "DeepL-Auth-Key any"}
    url = f"http://127.0.0.1:{server.http_port}{path}"
    request = urllib.request.Request(url, json.dumps(fields).encode(), headers)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        assert answer.status == 200


@pytest.fixture(scope="module")
def closed_port() -> int:
    """A target on which nothing listens."""
    return free_port()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, closed_port: int) -> Iterator[Prometheus]:
    """A Prometheus that has scraped a server under a light load for some intervals."""
    folder = tmp_path_factory.mktemp("prometheus")
    flags = ("--models=everyday", "--libretranslate-door", "--deepl-door")
    with running_collector() as (_, endpoint), served(*flags, f"--trace-endpoint={endpoint}") as server:
        targets = [f"127.0.0.1:{server.http_port}", f"127.0.0.1:{closed_port}"]
        stopping = threading.Event()
        caller = threading.Thread(target=ask, args=(server, stopping))
        caller.start()
        try:
            with running_prometheus(folder, targets) as prometheus:
                wait_until(lambda: prometheus.query("model:regard_step_slots:mean5m"))
                wait_until(lambda: all(rule["health"] != "unknown" for rule in prometheus.rules()))
                yield prometheus
        finally:
            stopping.set()
            caller.join(PATIENCE_S)


def test_every_rule_evaluates(prometheus: Prometheus) -> None:
    rules = prometheus.rules()
    assert {rule["name"] for rule in rules} == {*RECORDED, *ALERTS}
    assert {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"} == {}


@pytest.mark.parametrize("record", RECORDED)
def test_every_recorded_series_has_data(prometheus: Prometheus, record: str) -> None:
    wait_until(lambda: prometheus.query(record))


def test_only_the_replica_that_is_down_alerts(prometheus: Prometheus, closed_port: int) -> None:
    """But for alerts that tell the truth of a busy machine: slow calls, and for a moment a scrape that timed out."""

    def alerts() -> list[tuple[str, str]]:
        labels = [alert["labels"] for alert in prometheus.get("alerts")["alerts"]]
        return [(each["alertname"], each["instance"]) for each in labels if each["alertname"] != "RegardSlow"]

    wait_until(lambda: alerts() == [("RegardDown", f"127.0.0.1:{closed_port}")])


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_query_of_the_dashboard_has_data(prometheus: Prometheus, panel: dict[str, list[dict[str, str]]]) -> None:
    for target in panel["targets"]:
        query = target["expr"]
        for variable, value in {"$__rate_interval": "30s", "$instance": ".*", "$model": ".*"}.items():
            query = query.replace(variable, value)
        wait_until(partial(prometheus.query, query))


def test_what_prometheus_finds_is_what_is_documented(prometheus: Prometheus) -> None:
    expected = {
        name + suffix
        for name, (kind, _) in documented().items()
        if name not in OF_SEVERAL_PROCESSES
        for suffix in (("_bucket", "_count", "_sum") if kind == "histogram" else ("",))
    }

    def found() -> set[str]:
        names = prometheus.get("label/__name__/values")
        return {name for name in names if OWN.match(name) and not name.endswith("_created")}

    wait_until(lambda: found() >= expected)
    assert found() == expected


def test_exemplars_lead_from_a_histogram_to_traces(prometheus: Prometheus) -> None:
    def exemplars() -> list[dict[str, dict[str, str]]]:
        query = 'grpc_server_handling_seconds_bucket{grpc_method="Translate"}'
        now = time.time()
        series = prometheus.get("query_exemplars", query=query, start=str(now - 3600), end=str(now))
        return [exemplar for each in series for exemplar in each["exemplars"]]

    wait_until(exemplars)
    assert all(re.fullmatch("[0-9a-f]{32}", exemplar["labels"]["trace_id"]) for exemplar in exemplars())


def test_the_dashboard_asks_by_its_own_variables() -> None:
    """A datasource with a fixed id would be missing in every other Grafana."""
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert names == {"datasource", "instance", "model"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
