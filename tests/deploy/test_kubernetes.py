"""The manifests: every overlay builds, the API server's schemas take it, and it fits the server that it runs."""

import functools
import subprocess
import urllib.parse
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from deploy.prometheus.operator import RULES
from regard_service.app.health import LIVE
from regard_service.app.settings import Settings
from regard_service.bundle import Bundle, zoo_folder
from tests.deploy.tools import DEPLOY, program

KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
MODEL_SOURCES = ("models-from-claim", "models-from-image", "models-from-init")
VERSIONS = ("1.33", kubernetes_validate.latest_version())  # the oldest that has every field, and the newest known
SCHEMAS = {path.stem: yaml.safe_load(path.read_text()) for path in Path(__file__).parent.glob("schemas/*.yaml")}

Resource = dict[str, Any]


def build(folder: Path) -> list[Resource]:
    kubectl = program("kubectl", "Kubernetes' own packages")
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@functools.cache
def overlay(name: str) -> list[Resource]:
    return build(KUBERNETES / "overlays" / name)


def with_components(names: list[str], tmp_path: Path) -> list[Resource]:
    """The overlay cpu with more components, as somebody's own overlay has them."""
    link = tmp_path / "kubernetes"
    link.mkdir()
    (tmp_path / "deploy").symlink_to(DEPLOY)
    kustomization = {
        "resources": ["../deploy/kubernetes/overlays/cpu"],
        "components": [f"../deploy/kubernetes/components/{name}" for name in names],
    }
    (link / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return build(link)


def only(resources: list[Resource], kind: str, name: str = "regard") -> Resource:
    (found,) = [r for r in resources if r["kind"] == kind and r["metadata"]["name"] == name]
    return found


def pod(resources: list[Resource]) -> Resource:
    spec: Resource = only(resources, "Deployment")["spec"]["template"]["spec"]
    return spec


def container(resources: list[Resource]) -> Resource:
    (found,) = pod(resources)["containers"]
    return dict(found)


def settings(resources: list[Resource], tmp_path: Path) -> Settings:
    """What the server of the manifests would be told: file, environment, flags."""
    mounted = pod(resources)["volumes"][0]["configMap"]["name"]
    file = tmp_path / "settings.toml"
    file.write_text(only(resources, "ConfigMap", mounted)["data"]["settings.toml"])
    command = container(resources)["args"]
    assert command[:2] == ["--config", "/etc/regard/settings.toml"]
    named = (flag.removeprefix("--").split("=", 1) for flag in command[2:])
    flags = {name.replace("-", "_"): value for name, value in named}
    environment = {entry["name"]: entry["value"] for entry in container(resources).get("env", [])}
    return Settings.load(file, environment, flags)


def check_schemas(resources: list[Resource]) -> None:
    for resource in resources:
        if resource["kind"] in SCHEMAS:
            jsonschema.validate(resource["spec"], SCHEMAS[resource["kind"]])
            continue
        for version in VERSIONS:
            kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_overlay_has_valid_resources(name: str) -> None:
    check_schemas(overlay(name))


@pytest.mark.parametrize("source", MODEL_SOURCES)
def test_models_come_from_elsewhere(source: str, tmp_path: Path) -> None:
    resources = with_components([source], tmp_path)
    check_schemas(resources)
    check_restricted(pod(resources))
    assert settings(resources, tmp_path).model_directories == (Path("/models"),)
    mounts = {mount["name"]: mount for mount in container(resources)["volumeMounts"]}
    assert mounts["models"]["mountPath"] == "/models"
    assert "models" in {volume["name"] for volume in pod(resources)["volumes"]}


def test_the_gpu_overlay_brings_models_that_it_can_serve(tmp_path: Path) -> None:
    resources = overlay("gpu")
    told = settings(resources, tmp_path)
    assert (told.provider, told.model_directories) == ("cuda", (Path("/models"),))
    [volume] = [each for each in pod(resources)["volumes"] if each["name"] == "models"]
    assert volume["image"]["reference"]
    shipped = (Bundle.load(path.parent).manifest for path in zoo_folder().glob("*/manifest.json"))
    # With the shipped models the overlay could not become ready: none has graphs for CUDA.
    assert {provider for m in shipped for variant in m.variants for provider in variant.providers} == {
        "CPUExecutionProvider"
    }


def test_certificates_and_tokens_come_from_secrets(tmp_path: Path) -> None:
    resources = with_components(["tls", "tokens"], tmp_path)
    check_schemas(resources)
    check_restricted(pod(resources))
    told = settings(resources, tmp_path)
    mounts = {mount["name"]: Path(mount["mountPath"]) for mount in container(resources)["volumeMounts"]}
    assert (told.tls_certificate, told.tls_key) == (mounts["tls"] / "tls.crt", mounts["tls"] / "tls.key")
    assert told.tokens_file == mounts["tokens"] / "tokens.toml"
    secrets = {v["name"]: v["secret"]["secretName"] for v in pod(resources)["volumes"] if "secret" in v}
    assert secrets == {"tls": "regard-tls", "tokens": "regard-tokens"}
    (endpoint,) = only(resources, "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["scheme"] == "https"
    services = [r["spec"]["ports"] for r in resources if r["kind"] == "Service"]
    assert [port["appProtocol"] for ports in services for port in ports if "appProtocol" in port] == ["https"]


def test_traces_are_let_out_to_the_collector_and_nothing_else_is(tmp_path: Path) -> None:
    resources = with_components(["traces"], tmp_path)
    check_schemas(resources)
    check_restricted(pod(resources))
    endpoint = urllib.parse.urlsplit(settings(resources, tmp_path).trace_endpoint or "")
    assert endpoint.hostname is not None
    namespace = endpoint.hostname.split(".")[1]
    egress = only(resources, "NetworkPolicy")["spec"]["egress"]
    allowed = {
        (rule["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], port["port"])
        for rule in egress
        for port in rule["ports"]
    }
    assert allowed == {(namespace, endpoint.port), ("kube-system", 53)}
    assert all(len(rule["to"]) == 1 for rule in egress)


def test_strict_validation_refuses_a_misspelt_field() -> None:
    """The check itself can fail."""
    deployment = yaml.safe_load(yaml.safe_dump(only(overlay("cpu"), "Deployment")))
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[0], strict=True)
    monitor = dict(only(overlay("cpu"), "ServiceMonitor")["spec"], endpoint=[])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(monitor, SCHEMAS["ServiceMonitor"])


def check_restricted(spec: Resource) -> None:
    """The "restricted" Pod Security Standard, and what this project adds to it."""
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert not [volume for volume in spec["volumes"] if "hostPath" in volume]
    for each in chain(spec["containers"], spec.get("initContainers", [])):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert each["resources"].keys() == {"requests", "limits"}
        image, _, tag = each["image"].rpartition(":")
        assert image
        assert tag != "latest"


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_are_restricted(name: str) -> None:
    check_restricted(pod(overlay(name)))


@pytest.mark.parametrize("name", OVERLAYS)
def test_settings_probes_and_ports_agree(name: str, tmp_path: Path) -> None:
    resources, told = overlay(name), settings(overlay(name), tmp_path)
    running = container(resources)
    ports = {port["name"]: port["containerPort"] for port in running["ports"]}
    assert ports == {"grpc": told.grpc_port, "http": told.http_port, "health": told.health_port}
    probes = [running[f"{kind}Probe"]["grpc"] for kind in ("startup", "liveness", "readiness")]
    assert {probe["port"] for probe in probes} == {told.health_port}
    assert [probe.get("service", "") for probe in probes] == [LIVE, LIVE, ""]
    assert told.host == "0.0.0.0"
    for service in [r for r in resources if r["kind"] == "Service"]:
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports.keys()
        assert all(port["port"] == ports[port["targetPort"]] for port in service["spec"]["ports"])
    for rule in only(resources, "NetworkPolicy")["spec"]["ingress"]:
        assert {port["port"] for port in rule["ports"]} <= ports.keys()


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_pod_has_time_to_drain(name: str, tmp_path: Path) -> None:
    told = settings(overlay(name), tmp_path)
    assert told.drain_delay_s < told.drain_timeout_s
    assert told.drain_timeout_s + 5 <= pod(overlay(name))["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_threads_follow_the_limit(name: str, tmp_path: Path) -> None:
    """Nothing sets the number of workers, so that it is the cgroup's; a limit of 1.5 cores would waste the half."""
    resources = container(overlay(name))["resources"]
    assert resources["limits"]["cpu"].isdecimal()
    assert resources["requests"]["cpu"] == resources["limits"]["cpu"]
    assert "num_workers" not in settings(overlay(name), tmp_path).model_fields_set


@pytest.mark.parametrize("name", OVERLAYS)
def test_selectors_find_the_pods(name: str) -> None:
    resources = overlay(name)
    labels = only(resources, "Deployment")["spec"]["template"]["metadata"]["labels"]

    def selectors() -> Iterator[dict[str, str]]:
        yield only(resources, "Deployment")["spec"]["selector"]["matchLabels"]
        yield only(resources, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
        yield only(resources, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
        yield from (r["spec"]["selector"] for r in resources if r["kind"] == "Service")
        yield from (each["labelSelector"]["matchLabels"] for each in pod(resources)["topologySpreadConstraints"])

    for selector in selectors():
        assert selector.items() <= labels.items()


@pytest.mark.parametrize("name", OVERLAYS)
def test_each_replica_is_scraped_once_and_as_the_rules_know_it(name: str) -> None:
    resources = overlay(name)
    monitor = only(resources, "ServiceMonitor")["spec"]
    selected = [
        service
        for service in resources
        if service["kind"] == "Service"
        and monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    ]
    (endpoint,) = monitor["endpoints"]
    scraped = [s for s in selected if endpoint["port"] in {port.get("name") for port in s["spec"]["ports"]}]
    assert [service["metadata"]["labels"][monitor["jobLabel"]] for service in scraped] == ["regard"]


def test_the_rules_and_the_dashboard_are_those_of_prometheus_and_grafana() -> None:
    resources = overlay("cpu")
    assert only(resources, "PrometheusRule")["spec"] == yaml.safe_load(RULES.read_text())
    (dashboard,) = [r for r in resources if r["metadata"].get("labels", {}).get("grafana_dashboard")]
    assert dashboard["data"]["regard.json"] == (DEPLOY / "grafana" / "regard.json").read_text()


@pytest.mark.parametrize("name", ["autoscale", "autoscale-keda"])
def test_the_autoscaler_alone_says_how_many(name: str) -> None:
    assert "replicas" not in only(overlay(name), "Deployment")["spec"]
    kinds = [r["kind"] for r in overlay(name) if r["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")]
    assert len(kinds) == 1


def test_both_autoscalers_ask_for_the_recorded_waiting_time() -> None:
    recorded = {rule.get("record") for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
    series = "model:regard_queue_wait_seconds:p90_2m"
    assert series in recorded

    hpa = only(overlay("autoscale"), "HorizontalPodAutoscaler")["spec"]
    (external,) = [metric["external"] for metric in hpa["metrics"] if metric["type"] == "External"]
    adapter = yaml.safe_load((KUBERNETES / "overlays" / "autoscale" / "adapter.yaml").read_text())
    (rule,) = adapter["rules"]["external"]
    assert rule["name"]["as"] == external["metric"]["name"]
    assert f'"{series}"' in rule["seriesQuery"]

    keda = only(overlay("autoscale-keda"), "ScaledObject")["spec"]
    (trigger,) = [trigger for trigger in keda["triggers"] if trigger["type"] == "prometheus"]
    assert series in trigger["metadata"]["query"]
    assert 1000 * float(trigger["metadata"]["threshold"]) == int(external["target"]["value"].removesuffix("m"))
    assert keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == hpa["behavior"]


def test_kserves_runtime_and_service_fit_each_other_and_the_server() -> None:
    resources = build(KUBERNETES / "kserve")
    check_schemas(resources)
    runtime = only(resources, "ClusterServingRuntime")["spec"]
    for version in VERSIONS:
        pod_of_it = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "regard"}, "spec": pod_spec_of(runtime)}
        kubernetes_validate.validate(pod_of_it, version, strict=True)
    (running,) = runtime["containers"]
    assert running["image"].startswith("registry.example/regard:")
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in running["args"])
    told = Settings.load(None, {}, {name.replace("-", "_"): value for name, value in flags.items()})
    assert [port["containerPort"] for port in running["ports"]] == [told.grpc_port, told.http_port, told.health_port]
    assert {running[f"{kind}Probe"]["grpc"]["port"] for kind in ("startup", "liveness", "readiness")} == {
        told.health_port
    }
    assert runtime["annotations"]["prometheus.kserve.io/port"] == str(told.http_port)
    assert told.open_inference
    assert told.model_directories == (Path("/mnt/models"),)
    model = only(resources, "InferenceService", "translators")["spec"]["predictor"]["model"]
    assert model["runtime"] == "regard"
    assert model["protocolVersion"] in runtime["protocolVersions"]
    assert model["modelFormat"]["name"] in {each["name"] for each in runtime["supportedModelFormats"]}
    assert running["securityContext"]["readOnlyRootFilesystem"]
    assert {"name": "tmp", "mountPath": "/tmp"} in running["volumeMounts"]


def pod_spec_of(runtime: Resource) -> Resource:
    return {name: runtime[name] for name in ("containers", "volumes")}
