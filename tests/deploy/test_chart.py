"""The chart: Helm renders what kustomize makes of the manifests, and refuses values that it does not know."""

import json
import os
import platform
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from regard_service.app.settings import Settings
from tests.deploy.test_kubernetes import (
    Resource,
    check_restricted,
    check_schemas,
    container,
    only,
    overlay,
    pod,
    settings,
    with_components,
)
from tests.deploy.tools import DEPLOY, ROOT

CHART = DEPLOY / "helm" / "regard"
OF_HELM = ("app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart")

Values = dict[str, Any]


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("the wheel has Helm for Linux on x86-64 only")
    program = ROOT / "build" / "helm" / "helm"
    if not program.exists():
        assert not os.environ.get("CI"), "CI makes build/helm/helm"
        pytest.skip("`make build/helm/helm` brings Helm")
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False)


def template(values: Values, tmp_path: Path, *arguments: str, release: str = "regard") -> list[Resource]:
    """What the chart renders with values, in the namespace "regard"."""
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    done = helm("template", release, str(CHART), "--namespace=regard", *arguments, f"--values={file}")
    assert done.returncode == 0, done.stderr
    return [resource for resource in yaml.safe_load_all(done.stdout) if resource]


def refusal(values: Values, tmp_path: Path) -> str:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    done = helm("template", "regard", str(CHART), f"--values={file}")
    assert done.returncode == 1
    return done.stderr


def comparable(resources: list[Resource]) -> dict[tuple[str, str], Resource]:
    """Resources by kind and name, without what differs between the two tools.

    Those are the namespace, which Helm does not write down; Helm's own labels; how a change of settings restarts pods,
    which is a hash in the ConfigMap's name or in an annotation; the name as a label of what kustomize gives none; and
    the order of flags and volumes.
    """
    found = {}
    for resource in without_labels(resources):
        resource["metadata"].pop("namespace", None)
        if resource["kind"] in ("ConfigMap", "PrometheusRule"):
            labels = resource["metadata"].setdefault("labels", {})
            labels.pop("app.kubernetes.io/name", None)
        if resource["kind"] == "Deployment":
            spec = resource["spec"]["template"]["spec"]
            resource["spec"]["template"]["metadata"].pop("annotations", None)
            spec["volumes"].sort(key=lambda volume: volume["name"])
            spec["containers"][0]["volumeMounts"].sort(key=lambda mount: mount["name"])
            spec["containers"][0]["args"][2:] = sorted(spec["containers"][0]["args"][2:])
        found[resource["kind"], resource["metadata"]["name"]] = resource
    return found


def without_labels(value: Any) -> Any:
    """A copy without Helm's labels and without the hashes that kustomize adds to names."""
    if isinstance(value, dict):
        return {key: without_labels(each) for key, each in value.items() if key not in OF_HELM}
    if isinstance(value, list):
        return [without_labels(each) for each in value]
    if isinstance(value, str):
        return re.sub(r"^(regard-(?:settings|dashboard))-[0-9a-z]{10}$", r"\1", value)
    return value


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("cpu", {}),
        ("autoscale", {"autoscaler": {"kind": "hpa"}}),
        ("autoscale-keda", {"autoscaler": {"kind": "keda"}}),
    ],
)
def test_the_chart_renders_what_an_overlay_is(name: str, values: Values, tmp_path: Path) -> None:
    resources = template(values, tmp_path)
    check_schemas(resources)
    check_restricted(pod(resources))
    assert comparable(resources) == comparable(overlay(name))


def test_the_values_for_gpus_render_the_overlay_gpu(tmp_path: Path) -> None:
    resources = template({}, tmp_path, f"--values={CHART / 'values-gpu.yaml'}")
    check_schemas(resources)
    assert comparable(resources) == comparable(overlay("gpu"))


@pytest.mark.parametrize(
    ("components", "values"),
    [
        (["models-from-image"], {"models": {"from": "image"}}),
        (["models-from-init"], {"models": {"from": "init"}}),
        (["models-from-claim"], {"models": {"from": "claim"}}),
        (["tls", "tokens"], {"tls": {"enabled": True}, "tokens": {"enabled": True}}),
        (["traces"], {"traces": {"enabled": True}}),
    ],
)
def test_the_chart_renders_what_components_add(components: list[str], values: Values, tmp_path: Path) -> None:
    resources = template(values, tmp_path)
    check_schemas(resources)
    check_restricted(pod(resources))
    assert comparable(resources) == comparable(with_components(components, tmp_path))


def test_settings_are_the_servers(tmp_path: Path) -> None:
    given: Values = {
        "deepl_door": True,
        "models": ["everyday", "flickr8k"],
        "max_queue": 2_000_000,
        "max_deadline_s": 7.5,
    }
    told = settings(template({"settings": given}, tmp_path), tmp_path)
    assert (told.deepl_door, told.models, told.max_queue) == (True, ("everyday", "flickr8k"), 2_000_000)
    assert told.max_deadline_s == 7.5, "a flag goes before the file"
    assert told.drain_delay_s == 5.0, "and the file before the default"


def test_releases_of_one_namespace_do_not_share_pods(tmp_path: Path) -> None:
    one, other = (template({}, tmp_path, release=release) for release in ("regard", "captions"))
    names = [{(each["kind"], each["metadata"]["name"]) for each in resources} for resources in (one, other)]
    assert not names[0] & names[1]
    labels = only(one, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for selector in (
        only(other, "Deployment", "captions-regard")["spec"]["selector"]["matchLabels"],
        only(other, "Service", "captions-regard")["spec"]["selector"],
        only(other, "PodDisruptionBudget", "captions-regard")["spec"]["selector"]["matchLabels"],
    ):
        assert not selector.items() <= labels.items()


def test_parts_can_be_left_out(tmp_path: Path) -> None:
    values: Values = {
        "monitoring": {"enabled": False},
        "networkPolicy": False,
        "models": {"from": "claim", "createClaim": False, "claim": "mine"},
    }
    resources = template(values, tmp_path)
    assert {resource["kind"] for resource in resources} == {
        "ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "ServiceAccount"
    }  # fmt: skip
    [volume] = [each for each in pod(resources)["volumes"] if each["name"] == "models"]
    assert volume["persistentVolumeClaim"]["claimName"] == "mine"


def test_an_image_and_its_secret_can_be_named(tmp_path: Path) -> None:
    image = {"repository": "mine/regard", "tag": "1"}
    resources = template({"image": image, "imagePullSecrets": [{"name": "key"}], "replicas": 5}, tmp_path)
    assert container(resources)["image"] == "mine/regard:1"
    assert pod(resources)["imagePullSecrets"] == [{"name": "key"}]
    assert only(resources, "Deployment")["spec"]["replicas"] == 5


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replica": 1}, "'replica' not allowed"),
        ({"models": {"from": "bucket"}}, "/models/from"),
        ({"tokens": {"enabled": True}}, "/tls/enabled"),
        ({"resources": {"limits": {"cpu": "1.5"}}}, "/resources/limits/cpu"),
        ({"settings": {"grpc_port": 1}}, "grpc_port"),
        ({"settings": {"Max Queue": 1}}, "Max Queue"),
        ({"autoscaler": {"kind": "vpa"}}, "/autoscaler/kind"),
        ({"traces": {"sampleRatio": 2}}, "/traces/sampleRatio"),
    ],
)
def test_a_value_that_the_chart_does_not_know_is_refused(values: Values, words: str, tmp_path: Path) -> None:
    assert words in refusal(values, tmp_path)


def test_the_schema_has_every_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def check(values: Values, properties: Values, path: str = "") -> None:
        assert values.keys() == properties.keys() - {"global"}, path
        for name, value in values.items():
            if isinstance(value, dict) and "properties" in properties[name] and name != "limits":
                check(value, properties[name]["properties"], f"{path}/{name}")

    check(yaml.safe_load((CHART / "values.yaml").read_text()), schema["properties"])
    refused = schema["properties"]["settings"]["propertyNames"]["not"]["enum"]
    assert set(refused) <= set(Settings.model_fields)


def test_the_chart_has_the_version_of_the_server() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "service" / "pyproject.toml").read_text())["project"]
    assert (chart["version"], chart["appVersion"]) == (project["version"], project["version"])


def test_helm_finds_nothing_wrong() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr
